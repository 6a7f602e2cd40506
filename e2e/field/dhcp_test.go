package field

import (
	"bytes"
	"net"
	"strings"
	"testing"
	"time"

	"femtokubelet.dev/e2e/lab"
	"femtokubelet.dev/e2e/packets"
)

const noDHCP = "waiting for an address: no DHCP server answers"

// A board that boots where there is no DHCP server waits for one, and says so.
func TestNoDHCP(t *testing.T) {
	story(t)
	s := build(t, nil)
	if err := s.lab.SetDHCP(lab.DHCP{Off: true}); err != nil {
		t.Fatal(err)
	}
	from := s.boot(t)
	words := s.explains(t, from, noDHCP)
	if status := s.status(t); status["link"] != "up" || status["address"] != "" || !strings.HasPrefix(status["state"], "no address") {
		t.Errorf("status: link %s, address %q, %s", status["link"], status["address"], status["state"])
	}
	if err := s.lab.SetDHCP(lab.DHCP{}); err != nil {
		t.Fatal(err)
	}
	took := s.ready(t, promised)
	s.check(t)
	t.Logf("the log says %q; Ready %v after the server was there", words.Text, rounded(took))
}

var (
	mask   = packets.Option(packets.OptMask, []byte{255, 255, 255, 0})
	server = packets.Option(packets.OptServer, rogueIP)
	lasts  = packets.Option(packets.OptLease, []byte{0, 0, 0, 60})
	router = packets.Option(packets.OptRouter, rogueIP)
)

// bad changes a reply that is good but for what it gives.
func bad(to []byte, kind byte, change func(m []byte) []byte) []byte {
	return change(packets.DHCPReply(to, kind, rogueIP, server, lasts, mask, router))
}

// hostileDHCP are replies that no client should believe.
func hostileDHCP(to []byte) (replies [][]byte) {
	for _, kind := range []byte{packets.Offer, packets.Ack, packets.Nak} {
		replies = append(replies,
			bad(to, kind, func(m []byte) []byte { packets.DHCPTransaction(m)[3] ^= 1; return m }), // another's
			bad(to, kind, func(m []byte) []byte { m[28] ^= 1; return m }),                         // for another MAC
			bad(to, kind, func(m []byte) []byte { m[0] = 1; return m }),                           // not a reply
			bad(to, kind, func(m []byte) []byte { return m[:100] }),                               // cut in the head
			bad(to, kind, func(m []byte) []byte { return m[:241] }),                               // cut in the options
			// An option longer than the message, before all others.
			packets.DHCPReply(to, 0, rogueIP, []byte{packets.OptRouter, 255}),
			// The type is missing: it is in an option of another length.
			bytes.ReplaceAll(bad(to, kind, func(m []byte) []byte { return m }),
				[]byte{packets.OptType, 1, kind}, []byte{packets.OptType, 0, packets.OptType}),
			// Overlong, and no type in what a client reads of it.
			packets.DHCPReply(to, 255, rogueIP, bytes.Repeat(packets.Option(packets.OptDNS, make([]byte, 252)), 5)),
			// Options continue in the fields of file and server name, in a circle.
			packets.DHCPReply(to, 0, rogueIP, bytes.Repeat(packets.Option(52, []byte{3}), 20)),
		)
	}
	return replies
}

// refusal is what a server elsewhere says of an address that is not its own.
func refusal(to []byte) [][]byte {
	return [][]byte{packets.DHCPReply(to, packets.Nak, packets.AnyIP, server)}
}

// DHCP replies with hostile contents: they give no address, and take none away
// for long.
func TestHostileDHCP(t *testing.T) {
	story(t)
	s := build(t, quick)
	n := s.sniff(t)
	if err := s.lab.SetDHCP(lab.DHCP{Off: true}); err != nil {
		t.Fatal(err)
	}
	n.answers(hostileDHCP, nil)
	from := s.boot(t)
	s.explains(t, from, noDHCP)
	asked, _ := n.asked()
	if address := s.status(t)["address"]; address != "" {
		t.Errorf("address %s by hostile replies", address)
	}
	if err := s.lab.SetDHCP(lab.DHCP{Renew: 10 * time.Second}); err != nil {
		t.Fatal(err)
	}
	took := s.ready(t, patience)
	t.Logf("%d hostile replies to each of %d messages; Ready %v after the server was there",
		len(hostileDHCP(make([]byte, 300))), asked, rounded(took))

	rest := s.rest(t, nil)
	began := time.Now()
	renewals := func(what string) {
		t.Helper()
		before, _ := n.asked()
		until(t, what, func() bool { now, _ := n.asked(); return now > before })
	}
	renewals("a renewal among hostile replies")
	gap, _ := s.gap(began)
	if lost := s.said(from, "address lost"); len(lost) > 0 || gap > quickLease {
		t.Errorf("the address went to hostile replies: %q; %v without a renewal", lost, gap)
	}
	n.answers(refusal, nil)
	began = time.Now()
	renewals("a renewal that is refused from elsewhere")
	n.answers(nil, nil)
	s.ready(t, promised)
	gap, count := s.gap(began)
	restNow := s.rest(t, &rest)
	s.check(t)
	status := s.status(t)
	if ip := net.ParseIP(status["address"]); ip == nil {
		t.Errorf("address %q", status["address"])
	}
	t.Logf("a refusal from elsewhere: the board said %q; worst renewal gap %v of %v, %d renewals; unready: %v; %s connections; "+
		"in use without a connection: %v; before: %v", s.said(from, "address lost"), rounded(gap), quickLease, count,
		s.unready(began), status["connections"], restNow, rest)
}
