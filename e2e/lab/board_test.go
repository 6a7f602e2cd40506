package lab

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"femtokubelet.dev/e2e/packets"
)

const (
	// patience bounds every wait for what ought to happen at once.
	patience = 20 * time.Second
	// quiet is how long nothing must come to be believed that nothing comes.
	quiet = 300 * time.Millisecond
)

var (
	gatewayIP  = net.ParseIP(Gateway).To4()
	serverIP   = net.ParseIP(Server).To4()
	gatewayMAC = must(net.ParseMAC(bridgeMAC))
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// board is a stand-in at the end of a cable: it knows frames, answers ARP
// queries for its address, and leaves the rest to the test.
type board struct {
	t      *testing.T
	conn   net.Conn
	mac    net.HardwareAddr
	ip     net.IP
	frames chan []byte
}

func attach(t *testing.T, c *Cable, last byte) *board {
	t.Helper()
	conn, err := net.Dial("unix", c.Socket())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	b := &board{t: t, conn: conn, mac: net.HardwareAddr{2, 0, 0, 0, 0, last},
		ip: net.IPv4(10, 99, 0, last).To4(), frames: make(chan []byte, 4*queueMax)}
	go b.read()
	// The kernel knows us then, and the lab our end of the cable.
	b.send(packets.Ether(packets.BroadcastMAC, b.mac, packets.TypeARP, packets.ARP(1, b.mac, b.ip, make(net.HardwareAddr, 6), gatewayIP)))
	b.await("the gateway's MAC", func(frame []byte) bool {
		p := packets.Parse(frame)
		return p.Kind == packets.TypeARP && frame[21] == 2 && net.HardwareAddr(frame[22:28]).String() == bridgeMAC
	})
	return b
}

func (b *board) read() {
	defer close(b.frames)
	for {
		frame, err := readFrame(b.conn)
		if err != nil {
			return
		}
		if p := packets.Parse(frame); p.Kind == packets.TypeARP && frame[21] == 1 && net.IP(frame[38:42]).Equal(b.ip) {
			sender, asked := net.HardwareAddr(frame[22:28]), net.IP(frame[28:32])
			writeFrame(b.conn, packets.Ether(sender, b.mac, packets.TypeARP, packets.ARP(2, b.mac, b.ip, sender, asked)))
			continue
		}
		b.frames <- frame
	}
}

func readFrame(r io.Reader) ([]byte, error) {
	var length [lengthLen]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	frame := make([]byte, binary.BigEndian.Uint32(length[:]))
	_, err := io.ReadFull(r, frame)
	return frame, err
}

func writeFrame(w io.Writer, frame []byte) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...))
	return err
}

func (b *board) send(frame []byte) {
	b.t.Helper()
	if err := writeFrame(b.conn, frame); err != nil {
		b.t.Fatal(err)
	}
}

// await returns the next frame that is as wanted.
func (b *board) await(what string, wanted func([]byte) bool) []byte {
	b.t.Helper()
	frame := b.within(patience, wanted)
	if frame == nil {
		b.t.Fatalf("%s did not come within %v", what, patience)
	}
	return frame
}

func (b *board) within(limit time.Duration, wanted func([]byte) bool) []byte {
	deadline := time.After(limit)
	for {
		select {
		case frame := <-b.frames:
			if frame == nil {
				b.t.Error("the cable's end is closed")
				return nil
			}
			if wanted(frame) {
				return frame
			}
		case <-deadline:
			return nil
		}
	}
}

func (b *board) ping(to net.IP, number uint16) {
	b.t.Helper()
	b.send(packets.Ether(gatewayMAC, b.mac, packets.TypeIPv4, packets.Echo(b.ip, to, number, 0)))
}

func isEcho(frame []byte) bool {
	p := packets.Parse(frame)
	return p.Proto == packets.ProtoICMP && p.ICMP == packets.ICMPEchoReply && p.Kind == packets.TypeIPv4
}

// answered says whether an echo comes back.
func (b *board) answered(to net.IP) bool {
	b.t.Helper()
	b.ping(to, 4711)
	return b.within(quiet, isEcho) != nil
}

// dhcp sends one message and returns the options of the reply, nil for none.
func (b *board) dhcp(kind byte, limit time.Duration, options ...[]byte) map[byte][]byte {
	b.t.Helper()
	message := packets.UDP(packets.AnyIP, packets.BroadcastIP, packets.DHCPClient, packets.DHCPServer, packets.DHCP(kind, b.mac, options...))
	b.send(packets.Ether(packets.BroadcastMAC, b.mac, packets.TypeIPv4, message))
	frame := b.within(limit, func(frame []byte) bool { return packets.Parse(frame).To == packets.DHCPClient })
	if frame == nil {
		return nil
	}
	return packets.DHCPOptions(packets.Parse(frame).Payload)
}

// lease is the whole exchange.
func (b *board) lease() map[byte][]byte {
	b.t.Helper()
	offered := b.dhcp(packets.Discover, patience)
	if offered == nil || offered[packets.OptType][0] != packets.Offer {
		b.t.Fatalf("no offer: %v", offered)
	}
	given := b.dhcp(packets.Request, patience, packets.Option(packets.OptRequested, offered[0]), packets.Option(packets.OptServer, offered[packets.OptServer]))
	if given == nil || given[packets.OptType][0] != packets.Ack {
		b.t.Fatalf("no acknowledgement: %v", given)
	}
	b.ip = append(net.IP{}, given[0]...)
	return given
}

// query asks for the A record of a name and returns the reply, nil for none.
func (b *board) query(name string, limit time.Duration) []byte {
	b.t.Helper()
	message := []byte{0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	for label := range strings.SplitSeq(name, ".") {
		message = append(append(message, byte(len(label))), label...)
	}
	message = append(message, 0, 0, 1, 0, 1)
	b.send(packets.Ether(gatewayMAC, b.mac, packets.TypeIPv4, packets.UDP(b.ip, gatewayIP, 5353, 53, message)))
	return packets.Parse(b.within(limit, func(frame []byte) bool { return packets.Parse(frame).From == 53 })).Payload
}

// machine is a stand-in that has a whole TCP/IP stack: another namespace whose
// only interface is at the end of the cable.
func machine(t *testing.T, c *Cable, address string) *space {
	t.Helper()
	s, err := newSpace()
	if err != nil {
		t.Fatal(err)
	}
	tap, err := s.ask("tap eth0")
	if err != nil {
		t.Fatal(errors.Join(err, s.close()))
	}
	conn, err := net.Dial("unix", c.Socket())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(tap.Close(), conn.Close(), s.close()); err != nil {
			t.Error(err)
		}
	})
	go carry(tap, conn)
	err = s.ip(t.Context(), "address add "+address+maskBits+" dev eth0", "link set eth0 up",
		"route add default via "+Gateway)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func carry(tap *os.File, conn net.Conn) {
	go func() {
		for {
			frame, err := readFrame(conn)
			if err != nil {
				return
			}
			tap.Write(frame)
		}
	}()
	buf := make([]byte, maxFrame)
	for {
		n, err := tap.Read(buf)
		if err != nil || writeFrame(conn, buf[:n]) != nil {
			return
		}
	}
}
