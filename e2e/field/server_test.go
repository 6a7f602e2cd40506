package field

import (
	"context"
	"fmt"
	"testing"
	"time"

	"femtokubelet.dev/e2e/wire"
)

// The connection is reset at one instant of the handshake after another: before
// its first byte, amid the server's flight, the client's, behind both.
func TestCutHandshake(t *testing.T) {
	story(t)
	type cut struct {
		direction wire.Direction
		after     int64
	}
	cuts := []cut{{wire.ToServer, 0}, {wire.ToServer, 100}, {wire.ToClient, 1},
		{wire.ToClient, 700}, {wire.ToServer, 600}, {wire.ToClient, 1500}}
	if full {
		for at := int64(50); at < 1800; at += 100 {
			cuts = append(cuts, cut{wire.ToServer, at}, cut{wire.ToClient, at})
		}
	}
	s := ready(t, quick)
	began := time.Now()
	for i, c := range cuts {
		before := len(s.api.Connections())
		s.api.CutAfter(c.direction, c.after)
		if i == 0 {
			s.api.ResetAll() // later ones meet the next try
		}
		until(t, fmt.Sprintf("a connection that is cut after %d bytes %v", c.after, c.direction), func() bool {
			list := s.api.Connections()
			return len(list) > before && list[before].Cut
		})
	}
	took := s.ready(t, patience) // the delay has grown to 10 s
	gap, _ := s.gap(began)
	s.check(t)
	t.Logf("%d handshakes cut in a row; Ready %v after the last cut, worst renewal gap %v; unready: %v; connections %d",
		len(cuts), rounded(took), rounded(gap), s.unready(began), len(s.api.Connections()))
}

// The API server refuses, and then says nothing.
func TestServerAway(t *testing.T) {
	story(t)
	s := ready(t, nil)
	from := s.board.Now()
	if err := s.api.Refuse(true); err != nil {
		t.Fatal(err)
	}
	s.api.ResetAll()
	s.explains(t, from, "connection refused")
	if err := s.api.Refuse(false); err != nil {
		t.Fatal(err)
	}
	refused := s.ready(t, promised)
	from = s.board.Now()
	s.api.Silence(true)
	s.says(t, from, "connection to the API server lost")
	s.api.Silence(false)
	silent := s.ready(t, promised)
	s.check(t)
	t.Logf("Ready %v after the server no longer refused, %v after it was no longer silent", rounded(refused), rounded(silent))
}

// The way to the API server vanishes, and comes back: its route, which the
// gateway says, and the gateway, which nobody says.
func TestNoWay(t *testing.T) {
	story(t)
	s := ready(t, nil)
	for what, set := range map[string]func(context.Context, bool) error{
		"route": s.lab.SetRoute, "gateway": s.lab.SetGateway,
	} {
		from, began := s.board.Now(), time.Now()
		if err := set(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		words := s.explains(t, from, "the network says")
		if err := set(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		back := time.Now()
		took := s.ready(t, promised)
		gap, _ := s.gap(began)
		t.Logf("no %s for %v: the log says %q; Ready %v after it was back, worst renewal gap %v; unready: %v",
			what, rounded(back.Sub(began)), words.Text, rounded(took), rounded(gap), s.unready(began))
	}
	s.check(t)
}
