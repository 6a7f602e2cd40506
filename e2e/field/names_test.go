package field

import (
	"bytes"
	"encoding/binary"
	"net"
	"testing"
	"time"

	"femtokubelet.dev/e2e/board"
	"femtokubelet.dev/e2e/lab"
)

// reply is an answer to a DNS query, made of its head, its question, and what
// is given as records.
func reply(query []byte, answers uint16, records ...[]byte) []byte {
	head := append([]byte{}, query[:12]...)
	head[2], head[3] = 0x81, 0x80 // a response, recursion as wanted
	binary.BigEndian.PutUint16(head[6:], answers)
	clear(head[8:12])
	question := query[12:]
	if end := bytes.IndexByte(question, 0); end >= 0 && len(question) >= end+5 {
		question = question[:end+5] // without EDNS
	}
	return append(append(head, question...), bytes.Join(records, nil)...)
}

// record is an A record of the name asked for, unless owner says otherwise.
func record(owner []byte, ttl uint32, data []byte) []byte {
	if owner == nil {
		owner = []byte{0xc0, 12}
	}
	r := append(append([]byte{}, owner...), 0, 1, 0, 1)
	r = binary.BigEndian.AppendUint32(r, ttl)
	return append(binary.BigEndian.AppendUint16(r, uint16(len(data))), data...)
}

// hostileNames are answers that lead nowhere; a board must go on asking.
var hostileNames = []lab.Answer{
	func(q []byte) []byte { // another's identity
		r := reply(q, 1, record(nil, 60, rogueIP))
		r[0] ^= 0xff
		return r
	},
	func(q []byte) []byte { // a name that is its own end
		return reply(q, 1, record([]byte{0xc0, byte(len(reply(q, 0)))}, 60, rogueIP[:3]))
	},
	func(q []byte) []byte { // labels without end
		return reply(q, 1, bytes.Repeat([]byte{63}, 400))
	},
	func(q []byte) []byte { return reply(q, 0xffff) },                                          // answers that are not there
	func(q []byte) []byte { return reply(q, 1, record(nil, 60, nil)[:9]) },                     // cut within a record
	func(q []byte) []byte { return q[:5] },                                                     // cut within the head
	func(q []byte) []byte { return append([]byte{}, q...) },                                    // the query itself
	func(q []byte) []byte { return reply(q, 1, record(nil, 60, make([]byte, 16))) },            // an address of 16 bytes
	func(q []byte) []byte { return reply(q, 1, append(record(nil, 0, nil)[:10], 0xff, 0xff)) }, // data beyond the end
	func(q []byte) []byte { // too many, none of them an address
		return reply(q, 90, bytes.Repeat(record(nil, 60, []byte{1, 2, 3, 4, 5}), 90))
	},
	func(q []byte) []byte { // the question is another
		r := reply(q, 1, record(nil, 60, rogueIP))
		r[13] ^= 1
		return r
	},
}

// allHostileNames answers with each of them.
func allHostileNames(query []byte) (replies [][]byte) {
	if len(query) >= 12 {
		for _, answer := range hostileNames {
			replies = append(replies, answer(query))
		}
	}
	return replies
}

func setDNS(t *testing.T, s *site, answer lab.Answer) {
	t.Helper()
	if err := s.lab.SetDNS(answer); err != nil {
		t.Fatal(err)
	}
}

// explains waits until the log tells an operator what is wrong.
func (s *site) explains(t *testing.T, from board.Mark, words string) board.Line {
	t.Helper()
	line := s.says(t, from, words)
	if line.Level != "WARN" {
		t.Errorf("level %s: %s", line.Level, line.Text)
	}
	return line
}

const noName = "DNS: no such name, or no answer"

// DNS fails when the board boots, and when it connects anew.
func TestNoNames(t *testing.T) {
	story(t)
	s := build(t, quick)
	for _, row := range []struct {
		what   string
		answer lab.Answer
	}{{"refused at boot", lab.Refused}, {"silent", lab.Silent}, {"refused", lab.Refused}} {
		setDNS(t, s, row.answer)
		var from board.Mark
		if s.boots == 0 {
			from = s.boot(t)
		} else {
			from = s.board.Now()
			s.api.ResetAll()
		}
		words := s.explains(t, from, noName)
		setDNS(t, s, nil)
		back := time.Now()
		took := s.ready(t, promised)
		gap, _ := s.gap(back)
		t.Logf("%s: the log says %q; Ready %v after DNS was back, worst renewal gap %v", row.what, words.Text, rounded(took), rounded(gap))
	}
	s.check(t)
}

// DNS replies with hostile contents, at boot and to a node that is Ready.
func TestHostileNames(t *testing.T) {
	story(t)
	s := build(t, quick)
	n := s.sniff(t)
	var rest use
	for _, when := range []string{"at boot", "when connecting anew"} {
		setDNS(t, s, lab.Silent)
		n.answers(nil, allHostileNames)
		if when == "at boot" {
			s.boot(t)
		} else {
			s.api.ResetAll()
		}
		_, before := n.asked()
		until(t, "three queries", func() bool { _, now := n.asked(); return now >= before+3 })
		if state := s.status(t)["state"]; state == "connected" {
			t.Errorf("%s: connected by hostile replies", when)
		}
		_, now := n.asked()
		n.answers(nil, nil)
		setDNS(t, s, nil)
		took := s.ready(t, patience)
		t.Logf("%s: %d queries with %d hostile replies each; Ready %v after DNS was back",
			when, now-before, len(hostileNames), rounded(took))
		if when == "at boot" {
			rest = s.rest(t, nil)
		}
	}
	restNow := s.rest(t, &rest)
	t.Logf("in use without a connection: %v; before: %v", restNow, rest)
	s.check(t)
}

// A wrong address that may be kept for 136 years is not kept for long.
func TestWrongNameForEver(t *testing.T) {
	story(t)
	s := build(t, quick)
	setDNS(t, s, func(q []byte) []byte {
		if len(q) < 12 {
			return nil
		}
		return reply(q, 1, record(nil, 0xffffffff, net.IPv4(10, 99, 0, 254).To4()))
	})
	from := s.boot(t)
	s.explains(t, from, "connect: no answer")
	setDNS(t, s, nil)
	took := s.ready(t, patience)
	s.check(t)
	t.Logf("Ready %v after DNS told the truth", rounded(took))
}

// until polls.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}
