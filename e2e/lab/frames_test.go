package lab

import (
	"bytes"
	"encoding/binary"
	"net"
)

const (
	etherARP, etherIPv4    = 0x0806, 0x0800
	protoICMP, protoUDP    = 1, 17
	etherLen, ipLen        = 14, 20
	udpLen                 = 8
	icmpEcho               = 8
	icmpEchoReply          = 0
	icmpUnreachable        = 3
	bootpLen               = 240 // with the magic cookie
	dhcpServer, dhcpClient = 67, 68
)

var (
	broadcastMAC = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	anyIP        = net.IPv4zero.To4()
	broadcastIP  = net.IPv4bcast.To4()
	gatewayIP    = net.ParseIP(Gateway).To4()
	serverIP     = net.ParseIP(Server).To4()
	gatewayMAC   = must(net.ParseMAC(bridgeMAC))
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func etherFrame(dst, src net.HardwareAddr, kind uint16, payload []byte) []byte {
	frame := append(append([]byte{}, dst...), src...)
	return append(binary.BigEndian.AppendUint16(frame, kind), payload...)
}

func checksum(data []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(data); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(data[i:]))
	}
	if len(data)%2 == 1 {
		sum += uint32(data[len(data)-1]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

func ipPacket(src, dst net.IP, proto byte, payload []byte) []byte {
	header := make([]byte, ipLen)
	header[0], header[8], header[9] = 0x45, 64, proto
	binary.BigEndian.PutUint16(header[2:], uint16(ipLen+len(payload)))
	copy(header[12:], src.To4())
	copy(header[16:], dst.To4())
	binary.BigEndian.PutUint16(header[10:], checksum(header))
	return append(header, payload...)
}

func udpPacket(src, dst net.IP, from, to uint16, payload []byte) []byte {
	header := make([]byte, udpLen) // no checksum: IPv4 allows that
	binary.BigEndian.PutUint16(header, from)
	binary.BigEndian.PutUint16(header[2:], to)
	binary.BigEndian.PutUint16(header[4:], uint16(udpLen+len(payload)))
	return ipPacket(src, dst, protoUDP, append(header, payload...))
}

func echoPacket(src, dst net.IP, number uint16) []byte {
	message := []byte{icmpEcho, 0, 0, 0, 0x12, 0x34, byte(number >> 8), byte(number)}
	binary.BigEndian.PutUint16(message[2:], checksum(message))
	return ipPacket(src, dst, protoICMP, message)
}

func arpPacket(operation byte, senderMAC net.HardwareAddr, sender net.IP, targetMAC net.HardwareAddr, target net.IP) []byte {
	packet := []byte{0, 1, 8, 0, 6, 4, 0, operation}
	packet = append(append(packet, senderMAC...), sender.To4()...)
	return append(append(packet, targetMAC...), target.To4()...)
}

// packet is what the tests look at in a frame; what is not there is zero.
type packet struct {
	kind     uint16
	src, dst net.IP
	proto    byte
	icmp     byte
	number   uint16 // of an echo
	from, to uint16 // UDP ports
	payload  []byte // UDP
}

func parse(frame []byte) (p packet) {
	if len(frame) < etherLen+ipLen {
		return p
	}
	p.kind = binary.BigEndian.Uint16(frame[12:])
	body := frame[etherLen:]
	if p.kind != etherIPv4 {
		return p
	}
	p.proto, p.src, p.dst = body[9], net.IP(body[12:16]), net.IP(body[16:20])
	body = body[ipLen:]
	switch {
	case p.proto == protoICMP && len(body) >= 8:
		p.icmp, p.number = body[0], binary.BigEndian.Uint16(body[6:])
	case p.proto == protoUDP && len(body) >= udpLen:
		p.from, p.to = binary.BigEndian.Uint16(body), binary.BigEndian.Uint16(body[2:])
		p.payload = body[udpLen:]
	}
	return p
}

// DHCP, RFC 2131: message types, and the options by their number.
const (
	discover, offer, request, ack, nak = 1, 2, 3, 5, 6

	optRouter, optDNS             = 3, 6
	optRequested, optLease, optT1 = 50, 51, 58
	optType, optServer            = 53, 54
)

func dhcpMessage(kind byte, mac net.HardwareAddr, options ...[]byte) []byte {
	m := make([]byte, bootpLen)
	m[0], m[1], m[2] = 1, 1, 6
	copy(m[4:], "lab!") // transaction
	copy(m[28:], mac)
	copy(m[236:], []byte{99, 130, 83, 99})
	m = append(m, optType, 1, kind)
	return append(append(m, bytes.Join(options, nil)...), 255)
}

func option(number byte, value []byte) []byte {
	return append([]byte{number, byte(len(value))}, value...)
}

// dhcpOptions reads a reply; the address given is yiaddr, as option 0.
func dhcpOptions(m []byte) map[byte][]byte {
	options := map[byte][]byte{0: m[16:20]}
	for m = m[bootpLen:]; len(m) >= 2 && m[0] != 255; {
		if m[0] == 0 {
			m = m[1:]
			continue
		}
		options[m[0]] = m[2 : 2+m[1]]
		m = m[2+int(m[1]):]
	}
	return options
}
