package lab

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"femtokubelet.dev/e2e/packets"
	"femtokubelet.dev/e2e/wire"
)

func plug(t *testing.T, l *Lab, name string) *Cable {
	t.Helper()
	c, err := l.Plug(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// web is a server on this machine's loopback, forwarded into the lab.
func web(t *testing.T, l *Lab, port int) *wire.Proxy {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "hello from the control plane")
	}))
	t.Cleanup(server.Close)
	p, err := l.Forward(port, server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// fetch gets a URL from inside a namespace.
func fetch(s *space, url string) (string, error) {
	client := http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(_ context.Context, _, addr string) (net.Conn, error) { return s.Dial("tcp4", addr) },
	}}
	response, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

func TestDHCPGivesAllThatABoardNeeds(t *testing.T) {
	t.Parallel()
	l := New(t)
	b := attach(t, plug(t, l, "board0"), 10)
	given := b.lease()
	if b.ip[3] < 100 || b.ip[3] > 199 || !net.IP(given[packets.OptRouter]).Equal(gatewayIP) || !net.IP(given[packets.OptDNS]).Equal(gatewayIP) {
		t.Errorf("address %v, router %v, DNS server %v", b.ip, given[packets.OptRouter], given[packets.OptDNS])
	}
	if seconds := binary.BigEndian.Uint32(given[packets.OptLease]); seconds != 3600 {
		t.Errorf("a lease of %d s", seconds)
	}
	if ip, err := l.Lease(b.mac); err != nil || !ip.Equal(b.ip) {
		t.Errorf("the server's list has %v, %v", ip, err)
	}
	if reply := b.query(ServerName, patience); !bytes.HasSuffix(reply, serverIP) {
		t.Errorf("%s is %x", ServerName, reply)
	}
	if !b.answered(gatewayIP) || !b.answered(serverIP) {
		t.Error("no echo from gateway or server")
	}
}

// Two machines with a stack of their own: each reaches the control plane by
// both addresses, and the other one.
func TestControlPlaneIsReached(t *testing.T) {
	t.Parallel()
	l := New(t)
	p := web(t, l, 6443)
	one := machine(t, plug(t, l, "one"), "10.99.0.20")
	two := machine(t, plug(t, l, "two"), "10.99.0.21")
	for _, s := range []*space{one, two} {
		for _, host := range []string{Server, Gateway} {
			if body, err := fetch(s, "http://"+host+":6443/"); err != nil || !strings.HasPrefix(body, "hello") {
				t.Errorf("%s: %q, %v", host, body, err)
			}
		}
	}
	if counts := p.Counts(); counts.Connections != 4 || counts.ToClient.Bytes == 0 {
		t.Errorf("the proxy saw %+v", counts)
	}
	listener, err := two.Listen(":7000")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := one.Dial("tcp4", "10.99.0.21:7000")
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if conn, err = l.Dial("tcp4", "10.99.0.21:7000"); err != nil {
		t.Fatalf("from the lab to a board: %v", err)
	}
	conn.Close()
}

// What is not forwarded cannot be reached: neither this machine's ports nor
// anything beyond it.
func TestNothingElseIsReached(t *testing.T) {
	t.Parallel()
	l := New(t)
	target, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	if conn, err := l.Dial("tcp4", target.Addr().String()); err == nil {
		conn.Close()
		t.Error("the lab's loopback is this machine's")
	}
	routes, err := l.Run(t.Context(), "ip", "-4", "route")
	if err != nil {
		t.Fatal(err)
	}
	// With no route but this one, all else is "unreachable" before it is sent.
	if want := "10.99.0.0/24 dev lab0"; !strings.HasPrefix(routes, want) || strings.Count(routes, "\n") != 1 {
		t.Errorf("routes:\n%s", routes)
	}
	links, err := l.Run(t.Context(), "ip", "-brief", "link")
	if err != nil || strings.Count(links, "\n") != 2 {
		t.Errorf("only lo and the bridge should be there: %v\n%s", err, links)
	}
	if _, err := l.Plug(t.Context(), "no/such name"); err == nil {
		t.Error("a bad port name is taken")
	}
}

func TestLabsDoNotMeet(t *testing.T) {
	t.Parallel()
	first, second := New(t), New(t)
	one, other := attach(t, plug(t, first, "board0"), 30), attach(t, plug(t, second, "board0"), 31)
	if !one.answered(gatewayIP) || !other.answered(gatewayIP) {
		t.Fatal("no echo")
	}
	one.send(packets.Ether(packets.BroadcastMAC, one.mac, packets.TypeARP, packets.ARP(1, one.mac, one.ip, make(net.HardwareAddr, 6), other.ip)))
	if other.within(quiet, func(frame []byte) bool { return bytes.Equal(frame[6:12], one.mac) }) != nil {
		t.Error("a frame came across")
	}
}

func TestCapture(t *testing.T) {
	t.Parallel()
	l := New(t)
	c := plug(t, l, "board0")
	b := attach(t, c, 40)
	var file bytes.Buffer
	if err := c.Capture(&file); err != nil {
		t.Fatal(err)
	}
	if !b.answered(gatewayIP) {
		t.Fatal("no echo")
	}
	if err := c.Capture(nil); err != nil {
		t.Fatal(err)
	}
	sent := packets.Ether(gatewayMAC, b.mac, packets.TypeIPv4, packets.Echo(b.ip, gatewayIP, 4711, 0))
	record := append(binary.LittleEndian.AppendUint32(nil, uint32(len(sent))), sent...)
	if data := file.Bytes(); len(data) < 24 || binary.LittleEndian.Uint32(data) != captureMagic || !bytes.Contains(data, record) {
		t.Errorf("not in the capture of %d bytes", len(data))
	}
}

// A board that is started again takes its place, and is not disturbed by what
// the old one left.
func TestBoardComesBack(t *testing.T) {
	t.Parallel()
	l := New(t)
	c := plug(t, l, "board0")
	for range 3 {
		b := attach(t, c, 50)
		if !b.answered(gatewayIP) {
			t.Fatal("no echo")
		}
		b.conn.Close()
	}
	b := attach(t, c, 50)
	if _, err := b.conn.Write([]byte{0xff, 0xff, 0xff, 0xff, 0}); err != nil {
		t.Fatal(err)
	}
	for range b.frames { // until the lab hangs up on what is no stream of frames
	}
	if b = attach(t, c, 50); !b.answered(gatewayIP) {
		t.Error("no echo")
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	t.Parallel()
	l, err := Open(t.Context(), Options{})
	if errors.Is(err, ErrNotAllowed) && os.Geteuid() != 0 {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	plug(t, l, "board0")
	command := l.Command(context.Background(), "sleep", "600")
	if err := l.Start(command); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := command.Wait(); err == nil {
		t.Error("a command outlived the lab")
	}
	if _, err := os.Stat(l.dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", l.dir, err)
	}
	if _, err := l.Plug(t.Context(), "late"); err == nil {
		t.Error("a closed lab has ports")
	}
}
