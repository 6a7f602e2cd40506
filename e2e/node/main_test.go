// Package node holds the end-to-end tests: the real femtokubelet against a
// real control plane, or against servers that misbehave. All nodes run in
// parallel; most share one cluster.
package node

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"femtokubelet.dev/e2e/cluster"
)

const (
	// patience bounds every wait for something that ought to happen within a
	// few seconds; the machine may be slow.
	patience = 60 * time.Second
	// grace is how long the shared cluster waits for a silent node.
	grace = 9 * time.Second
	// parallel tests: they wait most of the time, so more than there are CPUs.
	parallel = "12"
)

// full asks for the long variants: an outage of a minute, every byte of a
// sweep.
var full = os.Getenv("FULL") != ""

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
		forbidden, err := forbiddenRequests(shared.cluster.AuditLog())
		if err != nil || len(forbidden) > 0 {
			fmt.Fprintln(os.Stderr, "FAIL: nodes asked for what they may not have:", err, forbidden)
			code = max(code, 1)
		}
		if err := shared.cluster.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// sharedCluster starts at the first call.
func sharedCluster(t *testing.T) *cluster.Cluster {
	t.Helper()
	shared.once.Do(func() {
		shared.cluster, shared.err = cluster.Start(context.Background(), cluster.Options{
			NodeMonitorGrace:  grace,
			NodeMonitorPeriod: time.Second,
			Audit:             true,
		})
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.cluster
}
