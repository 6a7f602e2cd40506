package kubeletapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// report is what tests want of /femto/status.
type report struct {
	ConfigMaps []struct {
		Name, State, ResourceVersion, Message string
		Applied, Refused                      int
	} `json:"configmaps"`
	Options struct {
		LogLevel      string `json:"log_level"`
		LEDBrightness int    `json:"led_brightness"`
		StatusPeriod  int    `json:"status_period_ms"`
	} `json:"options"`
	NodeHeap   memory `json:"heap"`
	ServerHeap memory `json:"server_heap"`
}

type memory struct {
	Size int64 `json:"size_bytes"`
	Free int64 `json:"free_bytes"`
	Low  int64 `json:"low_water_bytes"`
}

func (a *asker) report() (report, error) {
	var r report
	got, err := a.ask(context.Background(), http.MethodGet, "/femto/status")
	if err != nil || got.status != http.StatusOK {
		err = fmt.Errorf("/femto/status: %d %s: %w", got.status, got.body, err)
	}
	if err == nil {
		err = json.Unmarshal([]byte(got.body), &r)
	}
	return r, err
}

// levels are the bytes that are free while a node has one client.
type levels struct{ node, server int64 }

// slack: the connection to the API server remembers headers, more of them
// with each kind of request, up to its table's size.
var slack = levels{node: 3 << 10, server: 64}

// settle is how long connections that were left may live on: the port's
// longest patience, and what a busy machine adds.
const settle = 60 * time.Second

// levels of a node whose only client is this one.
func (n *node) levels(t *testing.T, a *asker) levels {
	t.Helper()
	for range 3 { // all that is remembered of us is remembered
		a.get(t, "/femto/status")
	}
	r, err := a.report()
	if err != nil || r.NodeHeap.Size == 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	return levels{r.NodeHeap.Free, r.ServerHeap.Free}
}

// levelsReturn waits until they are what they were.
func (n *node) levelsReturn(t *testing.T, a *asker, before levels) {
	t.Helper()
	a.hangUp()
	began := time.Now()
	for {
		r, err := a.report()
		if err == nil && r.NodeHeap.Free >= before.node-slack.node && r.ServerHeap.Free >= before.server-slack.server {
			t.Logf("free after %v: %d of %d bytes (before: %d), for the port %d of %d (before: %d; least: %d)",
				rounded(time.Since(began)), r.NodeHeap.Free, r.NodeHeap.Size, before.node,
				r.ServerHeap.Free, r.ServerHeap.Size, before.server, r.ServerHeap.Low)
			return
		}
		if time.Since(began) > settle {
			t.Errorf("free: %d bytes, before: %d; for the port %d, before: %d; %v",
				r.NodeHeap.Free, before.node, r.ServerHeap.Free, before.server, err)
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// series is the value of one in the text that /metrics is.
func series(text, name string) (value float64, found bool) {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			_, err := fmt.Sscan(rest, &value)
			return value, err == nil
		}
	}
	return 0, false
}
