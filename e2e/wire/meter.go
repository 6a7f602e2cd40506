package wire

import (
	"errors"
	"syscall"
)

// TLS record header (RFC 8446 §5.1): type, version, length; and the handshake
// message that opens a session.
const (
	headerLen      = 5
	typeLowest     = 20 // change_cipher_spec
	typeHandshake  = 22
	typeHighest    = 23 // application_data
	majorVersion   = 3
	messageHello   = 1
	lengthPosition = 3
)

// meter reads the TLS record headers in a stream that comes in pieces. What is
// no TLS is left alone from there on.
type meter struct {
	header  [headerLen]byte
	have    int // bytes of header
	left    int // payload bytes of this record still to come
	first   bool
	notTLS  bool
	records int64
	largest int
	hello   bool // a ClientHello was seen
}

func (m *meter) feed(data []byte) {
	for len(data) > 0 && !m.notTLS {
		switch {
		case m.have < headerLen:
			n := copy(m.header[m.have:], data)
			m.have += n
			data = data[n:]
			if m.have == headerLen {
				m.begin()
			}
		default:
			if m.first && m.header[0] == typeHandshake && data[0] == messageHello && m.records == 1 {
				m.hello = true
			}
			m.first = false
			n := min(m.left, len(data))
			m.left -= n
			data = data[n:]
		}
		if m.have == headerLen && m.left == 0 {
			m.have = 0
		}
	}
}

func (m *meter) begin() {
	if m.header[0] < typeLowest || m.header[0] > typeHighest || m.header[1] != majorVersion {
		m.notTLS = true
		return
	}
	m.left = int(m.header[lengthPosition])<<8 | int(m.header[lengthPosition+1])
	m.first = true
	m.records++
	m.largest = max(m.largest, m.left)
}

func isReset(err error) bool { return errors.Is(err, syscall.ECONNRESET) }
