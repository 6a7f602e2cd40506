package field

import (
	"bytes"
	"net"
	"sync"
	"testing"

	"femtokubelet.dev/e2e/lab"
	"femtokubelet.dev/e2e/packets"
)

// sniffer sees all frames of the board's cable, and learns from them what a
// stranger on the same network could.
type sniffer struct {
	cable *lab.Cable

	work sync.WaitGroup

	mu   sync.Mutex
	mac  net.HardwareAddr              // the board's
	tcp  packets.Packet                // the last that it sent to the API server
	dhcp func(message []byte) [][]byte // replies to what it asks, at once
	dns  func(query []byte) [][]byte   // likewise, in the name of the gateway
	seen struct{ dhcp, dns int }
}

const dnsPort = 53

const recordLen = 16 // of a pcap file, before each frame

func (s *site) sniff(t *testing.T) *sniffer {
	t.Helper()
	n := &sniffer{cable: s.cable}
	if err := s.cable.Capture(n); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.cable.Capture(nil)
		n.work.Wait()
	})
	return n
}

// Write takes one record. The cable waits meanwhile, so replies are sent later.
func (n *sniffer) Write(record []byte) (int, error) {
	if len(record) < recordLen+packets.EtherLen {
		return len(record), nil // the file's head
	}
	frame := record[recordLen:]
	p := packets.Parse(frame)
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case p.Proto == packets.ProtoUDP && p.To == packets.DHCPServer && p.From == packets.DHCPClient:
		n.mac = bytes.Clone(frame[6:12])
		n.seen.dhcp++
		if n.dhcp != nil {
			n.inject(rogueMAC, rogueIP, packets.BroadcastIP, p, n.dhcp(bytes.Clone(p.Payload)))
		}
	case p.Proto == packets.ProtoUDP && p.To == dnsPort:
		n.seen.dns++
		if n.dns != nil {
			n.inject(gatewayMAC, gatewayIP, bytes.Clone(p.Src), p, n.dns(bytes.Clone(p.Payload)))
		}
	case p.Proto == packets.ProtoTCP && p.To == apiPort:
		n.mac = bytes.Clone(frame[6:12])
		p.Src, p.Dst = bytes.Clone(p.Src), bytes.Clone(p.Dst)
		n.tcp = p
	}
	return len(record), nil
}

// inject sends replies to a packet as soon as the cable is free again. mu is held.
func (n *sniffer) inject(mac net.HardwareAddr, src, dst net.IP, to packets.Packet, replies [][]byte) {
	boardMAC := n.mac
	n.work.Go(func() {
		for _, payload := range replies {
			packet := packets.UDP(src, dst, to.To, to.From, payload)
			n.cable.Inject(lab.ToBoard, packets.Ether(boardMAC, mac, packets.TypeIPv4, packet))
		}
	})
}

// answers has DHCP messages and DNS queries answered by these, too, besides
// the lab's own servers; nil: not.
func (n *sniffer) answers(dhcp, dns func([]byte) [][]byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dhcp, n.dns = dhcp, dns
}

// asked counts DHCP messages and DNS queries from the board.
func (n *sniffer) asked() (dhcp, dns int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.seen.dhcp, n.seen.dns
}

// board is its MAC, and its connection to the API server as of late.
func (n *sniffer) board() (net.HardwareAddr, packets.Packet) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mac, n.tcp
}
