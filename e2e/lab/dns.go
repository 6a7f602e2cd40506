package lab

import "net"

// Answer makes the reply to a DNS query out of its bytes; nil is silence. It
// may reply with anything. Answers are asked one after the other.
type Answer func(query []byte) []byte

const (
	headerLen    = 12 // RFC 1035 section 4.1.1
	maxQuery     = 4096
	flagResponse = 0x80
	codeRefused  = 5
)

// Silent never replies.
func Silent([]byte) []byte { return nil }

// Refused replies with REFUSED.
func Refused(query []byte) []byte {
	if len(query) < headerLen {
		return nil
	}
	reply := append([]byte(nil), query...)
	reply[2] |= flagResponse
	reply[3] = reply[3]&0xf0 | codeRefused
	return reply
}

// SetDNS has queries answered by f, or by dnsmasq again if f is nil.
func (l *Lab) SetDNS(f Answer) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.answers != nil {
		l.answers.close()
		l.answers = nil
	}
	if f == nil {
		return l.restart()
	}
	// The port must be free first; restart leaves it alone while it is ours.
	l.answers = &responder{answer: f, done: make(chan struct{})}
	if err := l.restart(); err != nil {
		return err
	}
	conn, err := l.ListenPacket(Gateway + ":53")
	if err != nil {
		l.answers = nil
		return err
	}
	l.answers.conn = conn
	go l.answers.run()
	return nil
}

type responder struct {
	answer Answer
	conn   net.PacketConn
	done   chan struct{}
}

func (r *responder) run() {
	defer close(r.done)
	query := make([]byte, maxQuery)
	for {
		n, from, err := r.conn.ReadFrom(query)
		if err != nil {
			return
		}
		if reply := r.answer(query[:n]); reply != nil {
			r.conn.WriteTo(reply, from) // a board that left is no error of ours
		}
	}
}

func (r *responder) close() {
	if r.conn != nil {
		r.conn.Close()
		<-r.done
	}
}
