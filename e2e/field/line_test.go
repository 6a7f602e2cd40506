package field

import (
	"net/netip"
	"testing"
	"time"

	core "k8s.io/api/core/v1"

	"femtokubelet.dev/e2e/lab"
)

// The board comes up with an address from DHCP and the API server's from DNS;
// the name in its certificate is that name.
func TestBoot(t *testing.T) {
	story(t)
	s := build(t, nil)
	from := s.boot(t)
	took := s.ready(t, patience)
	obtained := s.says(t, from, "address obtained")
	address, err := netip.ParseAddr(obtained.Fields["address"])
	if err != nil || !netip.MustParsePrefix(lab.Gateway+"/24").Masked().Contains(address) {
		t.Errorf("address %q: %v", obtained.Fields["address"], err)
	}
	if dns, gateway := obtained.Fields["dns"], obtained.Fields["gateway"]; dns != lab.Gateway || gateway != lab.Gateway {
		t.Errorf("DNS server %s, gateway %s", dns, gateway)
	}
	var seen string
	s.await(t, patience, "InternalIP "+address.String(), func() bool {
		seen = s.internalIP()
		return seen == address.String()
	})
	connected := s.says(t, from, "connected to the API server")
	if n := len(s.api.Connections()); n != 1 {
		t.Errorf("%d connections", n)
	}
	s.check(t)
	t.Logf("Ready after %v, InternalIP %s; the board had its address after %v, its connection after %v",
		rounded(took), seen, obtained.Since, connected.Since)
}

// The cable is pulled, and plugged in again.
func TestCablePulled(t *testing.T) {
	story(t)
	outages := []time.Duration{5 * time.Second}
	if full {
		outages = append(outages, 30*time.Second, 5*time.Minute)
	}
	for _, outage := range outages {
		t.Run(outage.String(), func(t *testing.T) {
			t.Parallel()
			s := ready(t, nil)
			before := s.status(t)
			s.plug(t, false)
			s.says(t, 0, "link down")
			time.Sleep(outage) // the outage itself
			s.plug(t, true)
			began := time.Now()
			took := s.ready(t, promised)
			until(t, "the board counts on", func() bool { // it hears of its renewal after us
				return s.figure(t, "renewals") > figureOf(t, before, "renewals")
			})
			after := s.status(t)
			s.check(t)
			if after["address"] != before["address"] {
				t.Errorf("address %s, %s before", after["address"], before["address"])
			}
			t.Logf("cable pulled for %v: Ready with a fresh Lease %v after its return; unready before: %v; %s connections, renewals %s and %s",
				outage, rounded(took), s.unready(time.Time{}), after["connections"], before["renewals"], after["renewals"])
			if late := s.unready(began); len(late) > 0 {
				t.Errorf("after the link's return: %v", late)
			}
		})
	}
}

// Frames are lost and late: the node is Ready all the time.
func TestBadLine(t *testing.T) {
	story(t)
	for name, row := range map[string]struct {
		line  lab.Impairment
		lasts time.Duration
	}{
		"loss and delay": {lab.Impairment{Loss: 0.05, Delay: 100 * time.Millisecond}, long(time.Minute, 10*time.Minute)},
		"reordered and doubled": {lab.Impairment{Reorder: 0.25, Duplicate: 0.25, Delay: 40 * time.Millisecond,
			Jitter: 20 * time.Millisecond}, long(40*time.Second, 2*time.Minute)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := ready(t, quick)
			before := s.status(t)
			s.passed(lab.ToBoard)
			s.passed(lab.FromBoard)
			from := time.Now()
			if err := s.cable.Impair(row.line); err != nil {
				t.Fatal(err)
			}
			if full { // the handshake, too, goes over this line
				s.api.ResetAll()
			}
			time.Sleep(row.lasts)
			gap, count := s.gap(from)
			s.check(t)
			if flips := s.unready(from); len(flips) > 0 {
				t.Errorf("Ready became %v", flips)
			}
			if gap > quickLease {
				t.Errorf("%v without a renewal", gap)
			}
			after := s.status(t)
			t.Logf("%+v for %v: always Ready; worst renewal gap %v of %v, %d renewals; connections %s, before %s; to the board %+v, from it %+v",
				row.line, row.lasts, rounded(gap), quickLease, count, after["connections"], before["connections"],
				s.passed(lab.ToBoard), s.passed(lab.FromBoard))
		})
	}
}

// A handshake over a line that is bad from the start.
func TestBootOnBadLine(t *testing.T) {
	story(t)
	s := build(t, nil)
	line := lab.Impairment{Loss: 0.05, Delay: 100 * time.Millisecond, Reorder: 0.1, Duplicate: 0.05}
	if err := s.cable.Impair(line); err != nil {
		t.Fatal(err)
	}
	s.boot(t)
	took := s.ready(t, patience)
	s.check(t)
	t.Logf("Ready after %v on a line with %+v", rounded(took), line)
}

// The DHCP server hands out another address: when the lease is renewed, and
// when the cable was out.
func TestAnotherAddress(t *testing.T) {
	story(t)
	s := build(t, nil)
	only := func(address string) {
		t.Helper()
		// The board looks at its lease's age every ten seconds.
		d := lab.DHCP{From: address, To: address, Lease: 2 * time.Minute, Renew: 10 * time.Second}
		if err := s.lab.SetDHCP(d); err != nil {
			t.Fatal(err)
		}
	}
	moved := func(how, to string, began time.Time) {
		t.Helper()
		shown := s.await(t, patience, "InternalIP "+to, func() bool { return s.internalIP() == to })
		took := s.await(t, promised, "Ready, with a fresh Lease", s.isReady(time.Now().Add(-shown)))
		status := s.status(t)
		if status["address"] != to {
			t.Errorf("the board says %s", status["address"])
		}
		gap, _ := s.gap(began)
		t.Logf("%s: InternalIP %s after %v, Ready %v later; worst renewal gap %v; unready: %v; %s connections",
			how, to, rounded(shown), rounded(took), rounded(gap), s.unready(began), status["connections"])
		if flips := s.unready(began); len(flips) > 0 {
			t.Errorf("%s: Ready became %v", how, flips)
		}
	}
	only("10.99.0.20")
	s.boot(t)
	s.ready(t, patience)
	s.await(t, patience, "InternalIP", func() bool { return s.internalIP() == "10.99.0.20" })

	began, from := time.Now(), s.board.Now()
	only("10.99.0.30")
	s.says(t, from, "address=10.99.0.30")
	moved("renewed lease", "10.99.0.30", began)

	s.plug(t, false)
	only("10.99.0.40")
	s.says(t, from, "link down")
	began = time.Now()
	s.plug(t, true)
	moved("link flap", "10.99.0.40", began)
	s.check(t)
	if n := condition(s.node, core.NodeReady); n.Reason != "KubeletReady" {
		t.Errorf("Ready because of %s", n.Reason)
	}
}
