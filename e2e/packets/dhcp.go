package packets

import (
	"bytes"
	"net"
)

// DHCP, RFC 2131: ports, message types, and the options by their number.
const (
	DHCPServer, DHCPClient = 67, 68

	Discover, Offer, Request, Ack, Nak = 1, 2, 3, 5, 6

	OptMask, OptRouter, OptDNS       = 1, 3, 6
	OptRequested, OptLease           = 50, 51
	OptType, OptServer, OptT1, OptT2 = 53, 54, 58, 59
	optPad, optEnd                   = 0, 255
	bootpLen                         = 240 // with the magic cookie
	atTransaction, atYours, atClient = 4, 16, 28
)

// DHCP makes a client's message.
func DHCP(kind byte, mac net.HardwareAddr, options ...[]byte) []byte {
	m := make([]byte, bootpLen)
	m[0], m[1], m[2] = 1, 1, 6
	copy(m[atTransaction:], "lab!")
	copy(m[atClient:], mac)
	copy(m[236:], []byte{99, 130, 83, 99})
	m = append(m, OptType, 1, kind)
	return append(append(m, bytes.Join(options, nil)...), optEnd)
}

// DHCPReply makes a server's answer to a client's message, which gives yours;
// the options are taken as they are, after the type and before the end.
func DHCPReply(to []byte, kind byte, yours net.IP, options ...[]byte) []byte {
	m := DHCP(kind, to[atClient:atClient+6], options...)
	m[0] = 2
	copy(m[atTransaction:atTransaction+4], to[atTransaction:])
	copy(m[atYours:], yours.To4())
	return m
}

// DHCPTransaction is the part of a message that tells whose it is.
func DHCPTransaction(m []byte) []byte { return m[atTransaction : atTransaction+4] }

// Option is one of a DHCP message.
func Option(number byte, value []byte) []byte {
	return append([]byte{number, byte(len(value))}, value...)
}

// DHCPOptions reads a message, nil if it is none; the address given is yiaddr,
// as option 0.
func DHCPOptions(m []byte) map[byte][]byte {
	if len(m) < bootpLen {
		return nil
	}
	options := map[byte][]byte{0: m[atYours : atYours+4]}
	for m = m[bootpLen:]; len(m) >= 2 && m[0] != optEnd; {
		if m[0] == optPad {
			m = m[1:]
			continue
		}
		if len(m) < 2+int(m[1]) {
			break
		}
		options[m[0]] = m[2 : 2+m[1]]
		m = m[2+int(m[1]):]
	}
	return options
}
