// Package packets makes Ethernet frames, good ones and with a little help bad
// ones, and reads what tests look at in them. IPv4 only.
package packets

import (
	"encoding/binary"
	"net"
)

// Numbers of protocols, and lengths of headers without options.
const (
	TypeARP, TypeIPv4             = 0x0806, 0x0800
	ProtoICMP, ProtoTCP, ProtoUDP = 1, 6, 17

	EtherLen, IPLen, UDPLen, TCPLen = 14, 20, 8, 20

	ICMPEchoReply, ICMPUnreachable, ICMPEcho = 0, 3, 8
	ARPQuery, ARPReply                       = 1, 2
)

// Flags of TCP.
const (
	FIN = 1 << iota
	SYN
	RST
	PSH
	ACK
)

var (
	BroadcastMAC = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	NoMAC        = net.HardwareAddr{0, 0, 0, 0, 0, 0}
	AnyIP        = net.IPv4zero.To4()
	BroadcastIP  = net.IPv4bcast.To4()
)

// Ether makes a frame, however short.
func Ether(dst, src net.HardwareAddr, kind uint16, payload []byte) []byte {
	frame := append(append([]byte{}, dst...), src...)
	return append(binary.BigEndian.AppendUint16(frame, kind), payload...)
}

func checksum(pieces ...[]byte) uint16 {
	var sum uint32
	for _, data := range pieces { // all but the last are of even length
		for i := 0; i+1 < len(data); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(data[i:]))
		}
		if len(data)%2 == 1 {
			sum += uint32(data[len(data)-1]) << 8
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// IP makes a packet with a right checksum.
func IP(src, dst net.IP, proto byte, payload []byte) []byte {
	header := make([]byte, IPLen)
	header[0], header[8], header[9] = 0x45, 64, proto
	binary.BigEndian.PutUint16(header[2:], uint16(IPLen+len(payload)))
	copy(header[12:], src.To4())
	copy(header[16:], dst.To4())
	binary.BigEndian.PutUint16(header[10:], checksum(header))
	return append(header, payload...)
}

// UDP makes a whole packet, without UDP's checksum: IPv4 allows that.
func UDP(src, dst net.IP, from, to uint16, payload []byte) []byte {
	header := make([]byte, UDPLen)
	binary.BigEndian.PutUint16(header, from)
	binary.BigEndian.PutUint16(header[2:], to)
	binary.BigEndian.PutUint16(header[4:], uint16(UDPLen+len(payload)))
	return IP(src, dst, ProtoUDP, append(header, payload...))
}

// TCP makes a whole packet without options.
func TCP(src, dst net.IP, from, to uint16, flags byte, seq, ack uint32, payload []byte) []byte {
	segment := make([]byte, TCPLen)
	binary.BigEndian.PutUint16(segment, from)
	binary.BigEndian.PutUint16(segment[2:], to)
	binary.BigEndian.PutUint32(segment[4:], seq)
	binary.BigEndian.PutUint32(segment[8:], ack)
	segment[12], segment[13] = TCPLen/4<<4, flags
	binary.BigEndian.PutUint16(segment[14:], 0xffff) // window
	segment = append(segment, payload...)
	pseudo := append(append([]byte{}, src.To4()...), dst.To4()...)
	pseudo = binary.BigEndian.AppendUint16(append(pseudo, 0, ProtoTCP), uint16(len(segment)))
	binary.BigEndian.PutUint16(segment[16:], checksum(pseudo, segment))
	return IP(src, dst, ProtoTCP, segment)
}

// Echo makes a whole ICMP echo request with so many bytes of data.
func Echo(src, dst net.IP, number uint16, data int) []byte {
	message := append([]byte{ICMPEcho, 0, 0, 0, 0x12, 0x34, byte(number >> 8), byte(number)}, make([]byte, data)...)
	binary.BigEndian.PutUint16(message[2:], checksum(message))
	return IP(src, dst, ProtoICMP, message)
}

// ARP makes a query or a reply.
func ARP(operation byte, senderMAC net.HardwareAddr, sender net.IP, targetMAC net.HardwareAddr, target net.IP) []byte {
	message := []byte{0, 1, 8, 0, 6, 4, 0, operation}
	message = append(append(message, senderMAC...), sender.To4()...)
	return append(append(message, targetMAC...), target.To4()...)
}

// Packet is what a frame says; what is not there is zero.
type Packet struct {
	Kind     uint16
	Src, Dst net.IP
	Proto    byte
	ICMP     byte
	Number   uint16 // of an echo
	From, To uint16 // ports
	Flags    byte   // of TCP
	Seq, Ack uint32
	Payload  []byte // of UDP
}

// Parse reads a frame of any length, and believes it to have no IP options.
func Parse(frame []byte) (p Packet) {
	if len(frame) < EtherLen+IPLen {
		return p
	}
	p.Kind = binary.BigEndian.Uint16(frame[12:])
	body := frame[EtherLen:]
	if p.Kind != TypeIPv4 {
		return p
	}
	p.Proto, p.Src, p.Dst = body[9], net.IP(body[12:16]), net.IP(body[16:20])
	body = body[IPLen:]
	switch {
	case p.Proto == ProtoICMP && len(body) >= 8:
		p.ICMP, p.Number = body[0], binary.BigEndian.Uint16(body[6:])
	case p.Proto == ProtoUDP && len(body) >= UDPLen:
		p.From, p.To = binary.BigEndian.Uint16(body), binary.BigEndian.Uint16(body[2:])
		p.Payload = body[UDPLen:]
	case p.Proto == ProtoTCP && len(body) >= TCPLen:
		p.From, p.To, p.Flags = binary.BigEndian.Uint16(body), binary.BigEndian.Uint16(body[2:]), body[13]
		p.Seq, p.Ack = binary.BigEndian.Uint32(body[4:]), binary.BigEndian.Uint32(body[8:])
	}
	return p
}
