package field

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"femtokubelet.dev/e2e/lab"
	"femtokubelet.dev/e2e/packets"
)

// Who sends what nobody wants.
var (
	rogueMAC   = net.HardwareAddr{2, 0, 0, 0x66, 0x66, 0x66}
	rogueIP    = net.IPv4(10, 99, 0, 66).To4()
	gatewayIP  = net.ParseIP(lab.Gateway).To4()
	serverIP   = net.ParseIP(lab.Server).To4()
	gatewayMAC = net.HardwareAddr{2, 0, 0x0a, 0x63, 0, 1}
)

// victim is what the frames are made for.
type victim struct {
	mac    net.HardwareAddr
	ip     net.IP
	link   packets.Packet // from it to the API server
	random *rand.Rand
}

func (v *victim) to(src net.HardwareAddr, packet []byte) []byte {
	return packets.Ether(v.mac, src, packets.TypeIPv4, packet)
}

// stranger is an address of the board's network.
func (v *victim) stranger() net.IP { return net.IPv4(10, 99, 0, byte(2+v.random.IntN(98))).To4() }

func (v *victim) strangerMAC() net.HardwareAddr {
	return net.HardwareAddr{2, 1, 0, 0, byte(v.random.Uint32()), byte(v.random.Uint32())}
}

func (v *victim) port() uint16 { return uint16(1 + v.random.IntN(65535)) }

// floods are the kinds of frames that come in masses, by name.
var floods = []struct {
	name string
	make func(*victim) []byte
}{
	{"ARP queries", func(v *victim) []byte {
		mac := v.strangerMAC()
		return packets.Ether(packets.BroadcastMAC, mac, packets.TypeARP,
			packets.ARP(packets.ARPQuery, mac, v.stranger(), packets.NoMAC, v.ip))
	}},
	{"ARP replies", func(v *victim) []byte {
		mac := v.strangerMAC()
		return packets.Ether(v.mac, mac, packets.TypeARP, packets.ARP(packets.ARPReply, mac, v.stranger(), v.mac, v.ip))
	}},
	{"echoes", func(v *victim) []byte {
		return v.to(rogueMAC, packets.Echo(v.stranger(), v.ip, v.port(), v.random.IntN(1400)))
	}},
	{"echoes from afar", func(v *victim) []byte {
		return v.to(gatewayMAC, packets.Echo(net.IPv4(192, 0, 2, byte(v.random.IntN(256))), v.ip, v.port(), 8))
	}},
	{"SYNs to closed ports", func(v *victim) []byte {
		return v.to(rogueMAC, packets.TCP(v.stranger(), v.ip, v.port(), v.port(), packets.SYN, v.random.Uint32(), 0, nil))
	}},
	{"RSTs and ACKs of the API server's", func(v *victim) []byte {
		flags := []byte{packets.RST, packets.ACK, packets.RST | packets.ACK, packets.FIN | packets.ACK}[v.random.IntN(4)]
		return v.to(gatewayMAC, packets.TCP(serverIP, v.ip, apiPort, v.link.From, flags, v.random.Uint32(), v.random.Uint32(),
			make([]byte, v.random.IntN(2)*v.random.IntN(500))))
	}},
	{"cut short", func(v *victim) []byte {
		whole := v.to(rogueMAC, packets.TCP(serverIP, v.ip, apiPort, v.link.From, packets.ACK, v.random.Uint32(), 0, make([]byte, 40)))
		return whole[:v.random.IntN(len(whole))]
	}},
	{"too long", func(v *victim) []byte {
		return v.to(rogueMAC, packets.Echo(v.stranger(), v.ip, v.port(), 1473+v.random.IntN(7000)))
	}},
	{"lengths that lie", func(v *victim) []byte {
		frame := v.to(rogueMAC, packets.UDP(v.stranger(), v.ip, 53, v.port(), make([]byte, v.random.IntN(100))))
		at := packets.EtherLen + []int{0, 2, 3, packets.IPLen + 4, packets.IPLen + 5}[v.random.IntN(5)]
		frame[at] = byte(v.random.Uint32())
		fixIPChecksum(frame)
		return frame
	}},
	{"noise", func(v *victim) []byte {
		body := make([]byte, v.random.IntN(1500))
		for i := range body {
			body[i] = byte(v.random.Uint32())
		}
		return packets.Ether(v.mac, rogueMAC, uint16(v.random.IntN(2)*packets.TypeIPv4+v.random.IntN(7)), body)
	}},
}

func fixIPChecksum(frame []byte) {
	header := frame[packets.EtherLen:][:packets.IPLen]
	header[10], header[11] = 0, 0
	var sum uint32
	for i := 0; i < packets.IPLen; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(header[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(header[10:], ^uint16(sum))
}

// All that a neighbor can send, as fast as the board's end of the cable takes
// it: the Lease is renewed in time, and all memory comes back.
func TestFloods(t *testing.T) {
	story(t)
	s := build(t, nil)
	n := s.sniff(t)
	s.boot(t)
	s.ready(t, patience)
	v := &victim{random: rand.New(rand.NewPCG(6, 0))}
	v.ip = net.ParseIP(s.status(t)["address"]).To4()
	rest := s.rest(t, nil)
	before := s.status(t)
	began := time.Now()
	sent := 0
	for time.Since(began) < long(10*time.Second, time.Minute) {
		v.mac, v.link = n.board()
		kind := floods[sent/200%len(floods)]
		if !s.cable.Inject(lab.ToBoard, kind.make(v)) {
			t.Fatal("QEMU took no more frames")
		}
		sent++
	}
	lasted := time.Since(began)
	after := s.status(t)
	s.ready(t, patience)
	gap, count := s.gap(began)
	restNow := s.rest(t, &rest)
	s.check(t)
	received := figureOf(t, after, "rx-frames") - figureOf(t, before, "rx-frames")
	t.Logf("%d frames in %v, %.0f/s; the board took %d, refused %d, dropped %d; worst renewal gap %v of %v, %d renewals; unready: %v; "+
		"connections %s, before %s; in use without a connection: %v; before: %v",
		sent, rounded(lasted), float64(sent)/lasted.Seconds(), received,
		figureOf(t, after, "rx-errors")-figureOf(t, before, "rx-errors"),
		figureOf(t, after, "rx-dropped")-figureOf(t, before, "rx-dropped"),
		rounded(gap), usualLease, count, s.unready(began), after["connections"], before["connections"], restNow, rest)
	if gap > usualLease {
		t.Errorf("%v without a renewal", gap)
	}
	if received <= 0 || received > sent+count*100 {
		t.Errorf("the board counts %d frames of %d", received, sent)
	}
}
