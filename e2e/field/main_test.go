// Package field holds stories of the board in the field: the firmware on an
// emulated board, in a network lab whose cables, DHCP and DNS fail and whose
// neighbors are hostile, before a real control plane. Each story has a lab and
// a board of its own; all share one cluster and run in parallel.
package field

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"femtokubelet.dev/e2e/board"
	"femtokubelet.dev/e2e/cluster"
)

const (
	// patience bounds every wait for what ought to happen within seconds; the
	// machine may be slow.
	patience = 90 * time.Second
	// promised is how soon the node is Ready again once the network is.
	promised = 15 * time.Second
	// grace is how long the cluster waits for a silent node; Kubernetes' own
	// default is 50 s.
	grace = 20 * time.Second
	// parallel stories: they wait most of the time.
	parallel = "24"
)

// full asks for the long variants: outages and bad lines of minutes.
var full = os.Getenv("FULL") != ""

// long is what a story takes, in the variant that was asked for.
func long(short, whole time.Duration) time.Duration {
	if full {
		return whole
	}
	return short
}

var shared struct {
	once    sync.Once
	cluster *cluster.Cluster
	err     error
}

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", parallel); err != nil {
		panic(err)
	}
	code := m.Run()
	if shared.cluster != nil {
		if err := shared.cluster.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// story begins a test: in parallel to the others, and at all only where there
// are boards.
func story(t *testing.T) {
	t.Helper()
	t.Parallel()
	if testing.Short() {
		t.Skip("runs boards")
	}
	if _, err := board.Image(); err != nil {
		t.Fatal(err)
	}
}

// sharedCluster starts at the first call.
func sharedCluster(t *testing.T) *cluster.Cluster {
	t.Helper()
	shared.once.Do(func() {
		shared.cluster, shared.err = cluster.Start(context.Background(), cluster.Options{
			NodeMonitorGrace: grace, NodeMonitorPeriod: time.Second,
		})
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.cluster
}
