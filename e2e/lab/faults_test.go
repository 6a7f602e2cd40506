package lab

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"femtokubelet.dev/e2e/packets"
)

func TestCablePulled(t *testing.T) {
	t.Parallel()
	l := New(t)
	c := plug(t, l, "board0")
	b := attach(t, c, 10)
	for i := range 2 {
		if err := c.SetUp(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		if state, err := l.Run(t.Context(), "ip", "link", "show", "board0"); !strings.Contains(state, "NO-CARRIER") {
			t.Errorf("%v: %s", err, state)
		}
		if b.answered(gatewayIP) {
			t.Error("an echo through a cable that is pulled")
		}
		if counts := c.Counts(FromBoard); counts.Dropped != i+1 {
			t.Errorf("pulled %d times: %+v", i+1, counts)
		}
		if err := c.SetUp(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		b.ping(gatewayIP, 1)
		b.await("an echo after the cable's return", isEcho)
	}
}

func TestBadLineBothWays(t *testing.T) {
	t.Parallel()
	const n, delay = 400, 30 * time.Millisecond
	l := New(t)
	c := plug(t, l, "board0")
	b := attach(t, c, 11)
	if err := c.Impair(Impairment{Loss: 0.2, Delay: delay, Jitter: 5 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	sent := make([]time.Time, n)
	go func() {
		for i := range n {
			sent[i] = time.Now()
			writeFrame(b.conn, packets.Ether(gatewayMAC, b.mac, packets.TypeIPv4, packets.Echo(b.ip, gatewayIP, uint16(i), 0)))
			time.Sleep(time.Millisecond)
		}
	}()
	got := 0
	for {
		frame := b.within(time.Second, isEcho)
		if frame == nil {
			break
		}
		got++
		if took := time.Since(sent[packets.Parse(frame).Number]); took < 2*(delay-5*time.Millisecond) {
			t.Fatalf("an echo after %v", took)
		}
	}
	// 0.8 * 0.8 of them, and five standard deviations.
	if got < n*52/100 || got > n*76/100 {
		t.Errorf("%d of %d echoes with 20 %% loss each way", got, n)
	}
	for _, d := range []Direction{ToBoard, FromBoard} {
		if counts := c.Counts(d); counts.Lost == 0 || counts.Delivered == 0 || counts.Dropped > 0 {
			t.Errorf("direction %v: %+v", d, counts)
		}
	}
}

func TestOneWayOnly(t *testing.T) {
	t.Parallel()
	l := New(t)
	c := plug(t, l, "board0")
	b := attach(t, c, 12)
	if err := c.Impair(Impairment{Loss: 1}, ToBoard); err != nil {
		t.Fatal(err)
	}
	if b.answered(gatewayIP) {
		t.Error("an echo came")
	}
	there, back := c.Counts(FromBoard), c.Counts(ToBoard)
	if there.Lost != 0 || there.Delivered != there.Offered || back.Lost != 1 {
		t.Errorf("there %+v, back %+v", there, back)
	}
	if err := c.Impair(Impairment{}); err != nil || !b.answered(gatewayIP) {
		t.Errorf("no echo when all is well again: %v", err)
	}
	if err := c.Impair(Impairment{Loss: 2}); err == nil {
		t.Error("nonsense is taken")
	}
}

func TestDHCPServerAwayAndChanged(t *testing.T) {
	t.Parallel()
	l := New(t)
	b := attach(t, plug(t, l, "board0"), 13)
	old := append([]byte{}, b.lease()[0]...)
	if err := l.SetDHCP(DHCP{Off: true}); err != nil {
		t.Fatal(err)
	}
	if reply := b.dhcp(packets.Discover, quiet); reply != nil {
		t.Errorf("a server that is away sends %v", reply)
	}
	if reply := b.query(ServerName, patience); !bytes.HasSuffix(reply, serverIP) {
		t.Errorf("DNS went with it: %x", reply)
	}
	err := l.SetDHCP(DHCP{From: "10.99.0.7", To: "10.99.0.7", Lease: time.Minute, Renew: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if reply := b.dhcp(packets.Request, patience, packets.Option(packets.OptRequested, old)); reply == nil || reply[packets.OptType][0] != packets.Nak {
		t.Errorf("the old address is still good: %v", reply)
	}
	given := b.lease()
	if b.ip[3] != 7 || binary.BigEndian.Uint32(given[packets.OptT1]) != 3 || binary.BigEndian.Uint32(given[packets.OptLease]) != 120 {
		t.Errorf("address %v, lease %v, T1 %v", b.ip, given[packets.OptLease], given[packets.OptT1])
	}
}

func TestDNSFails(t *testing.T) {
	t.Parallel()
	l := New(t)
	b := attach(t, plug(t, l, "board0"), 14)
	hostile := func(query []byte) []byte { // names its own name by a pointer to itself
		return append(append([]byte{}, query[:2]...), 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1)
	}
	for _, row := range []struct {
		name   string
		answer Answer
		want   func(reply []byte) bool
	}{
		{"silent", Silent, func(reply []byte) bool { return reply == nil }},
		{"refused", Refused, func(reply []byte) bool { return len(reply) > 3 && reply[3]&0xf == codeRefused && reply[2]&0x80 != 0 }},
		{"hostile", hostile, func(reply []byte) bool { return bytes.HasSuffix(reply, []byte{0xc0, 12, 0, 1, 0, 1}) }},
		{"well", nil, func(reply []byte) bool { return bytes.HasSuffix(reply, serverIP) }},
	} {
		if err := l.SetDNS(row.answer); err != nil {
			t.Fatalf("%s: %v", row.name, err)
		}
		limit := patience
		if row.name == "silent" {
			limit = quiet
		}
		if reply := b.query(ServerName, limit); !row.want(reply) {
			t.Errorf("%s: %x", row.name, reply)
		}
		if given := b.lease(); !net.IP(given[packets.OptDNS]).Equal(gatewayIP) {
			t.Errorf("%s: DHCP names DNS server %v", row.name, given[packets.OptDNS])
		}
	}
	if Refused([]byte{1, 2, 3}) != nil {
		t.Error("a reply to less than a header")
	}
}

func TestRouteAndGatewayVanish(t *testing.T) {
	t.Parallel()
	l := New(t)
	b := attach(t, plug(t, l, "board0"), 15)
	if err := l.SetRoute(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	b.ping(serverIP, 1)
	b.await("the gateway's refusal", func(frame []byte) bool {
		p := packets.Parse(frame)
		return p.Proto == packets.ProtoICMP && p.ICMP == packets.ICMPUnreachable && p.Src.Equal(gatewayIP)
	})
	if err := l.SetRoute(t.Context(), true); err != nil || !b.answered(serverIP) {
		t.Errorf("no way back: %v", err)
	}
	if err := l.SetGateway(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	query := packets.Ether(packets.BroadcastMAC, b.mac, packets.TypeARP, packets.ARP(1, b.mac, b.ip, make(net.HardwareAddr, 6), gatewayIP))
	b.send(query)
	isARP := func(frame []byte) bool { return packets.Parse(frame).Kind == packets.TypeARP }
	if b.within(quiet, isARP) != nil {
		t.Error("the gateway still answers")
	}
	for range 2 { // also when it is there already
		if err := l.SetGateway(t.Context(), true); err != nil {
			t.Fatal(err)
		}
	}
	b.send(query)
	b.await("the gateway's MAC", isARP)
	if !b.answered(serverIP) {
		t.Error("no way back")
	}
	if reply := b.query(ServerName, patience); !bytes.HasSuffix(reply, serverIP) {
		t.Error("no DNS any more")
	}
	b.lease()
}

func TestResetAndRefused(t *testing.T) {
	t.Parallel()
	l := New(t)
	p := web(t, l, 6443)
	s := machine(t, plug(t, l, "board0"), "10.99.0.16")
	conn, err := s.Dial("tcp4", Server+":6443")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	p.ResetAll()
	conn.SetReadDeadline(time.Now().Add(patience))
	if _, err = io.Copy(io.Discard, conn); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("ended by %v", err)
	}
	if err := p.Refuse(true); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Dial("tcp4", Server+":6443"); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("a closed port: %v", err)
	}
	if err := p.Refuse(false); err != nil {
		t.Fatal(err)
	}
	if body, err := fetch(s, "http://"+Server+":6443/"); err != nil {
		t.Errorf("open again: %q, %v", body, err)
	}
}

// Frames that no network has, both ways; and more of them than anybody reads.
func TestInjectedFrames(t *testing.T) {
	t.Parallel()
	l := New(t)
	c := plug(t, l, "board0")
	b := attach(t, c, 17)
	for _, n := range []int{0, 1, 13, 14, 1514, 1515, 9000, 60000} {
		frame := bytes.Repeat([]byte{0xa5}, n)
		if !c.Inject(ToBoard, frame) {
			t.Errorf("%d bytes were not taken", n)
		}
		if got := b.await("the frame", func(f []byte) bool { return len(f) == 0 || f[0] == 0xa5 }); !bytes.Equal(got, frame) {
			t.Errorf("%d bytes came as %d", n, len(got))
		}
	}
	for _, n := range []int{0, 1, 13} {
		if c.Inject(FromBoard, make([]byte, n)) {
			t.Errorf("the bridge took a frame of %d bytes", n)
		}
	}
	echo := packets.Ether(gatewayMAC, b.mac, packets.TypeIPv4, packets.Echo(b.ip, gatewayIP, 99, 0))
	if !c.Inject(FromBoard, echo) {
		t.Error("a good frame was not taken")
	}
	b.await("the echo", isEcho)
	for i := range 20000 { // a flood, faster than the replies are read
		c.lanes[FromBoard].send(packets.Ether(gatewayMAC, b.mac, packets.TypeIPv4, packets.Echo(b.ip, gatewayIP, uint16(i), 0)))
	}
	b.ping(gatewayIP, 0xbeef)
	ok := false
	for deadline := time.Now().Add(patience); !ok && time.Now().Before(deadline); {
		frame := b.within(quiet, isEcho)
		if frame == nil {
			b.ping(gatewayIP, 0xbeef) // lost in the flood
			continue
		}
		ok = packets.Parse(frame).Number == 0xbeef
	}
	if !ok {
		t.Error("the line did not survive the flood")
	}
}
