package node

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"

	"femtokubelet.dev/e2e/cluster"
	"femtokubelet.dev/e2e/wire"
)

// throughProxy gives a node's settings such that it reaches the cluster
// through a proxy of its own.
func throughProxy(t *testing.T, c *cluster.Cluster, name string) (settings, *observer, *wire.Proxy) {
	t.Helper()
	s, o := inCluster(t, c, name)
	p := proxyTo(t, strings.TrimPrefix(c.URL(), "https://"))
	s.Kubeconfig = redirected(t, s.Kubeconfig, c.URL(), "https://"+p.Addr())
	return s, o, p
}

func proxyTo(t *testing.T, target string) *wire.Proxy {
	t.Helper()
	p, err := wire.Start(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// redirected is a copy of a kubeconfig with another server.
func redirected(t *testing.T, kubeconfig, from, to string) string {
	t.Helper()
	text, err := os.ReadFile(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), from) {
		t.Fatalf("%s does not name %s", kubeconfig, from)
	}
	return writeFile(t, "kubeconfig", strings.ReplaceAll(string(text), from, to))
}

// writeFile makes a file that only we can read, for the time of the test.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func until(t *testing.T, within time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(within)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", within, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// renewedNow waits for a renewal that is later than this moment.
func (o *observer) renewedNow(t *testing.T, name string) {
	t.Helper()
	now := time.Now()
	o.lease(t, name, "renewed", func(l *coordination.Lease) bool {
		return l.Spec.RenewTime != nil && l.Spec.RenewTime.After(now)
	})
}

func TestOneConnectionIsKept(t *testing.T) {
	onBodies(t, 0, func(t *testing.T, b Body, name string) {
		s, o, p := throughProxy(t, sharedCluster(t), name)
		b.Start(t, fast(s))
		o.nodeReady(t, name, core.ConditionTrue)
		o.heartbeats(t, name, 3)
		o.renewedNow(t, name)
		c := p.Counts()
		if c.Connections != 1 || c.ClientHellos != 1 {
			t.Errorf("%d connections, %d handshakes", c.Connections, c.ClientHellos)
		}
		t.Logf("%+v", c)
	})
}

func TestConnectionThatIsResetComesBack(t *testing.T) {
	onBodies(t, 0, func(t *testing.T, b Body, name string) {
		s, o, p := throughProxy(t, sharedCluster(t), name)
		b.Start(t, s)
		n := o.nodeReady(t, name, core.ConditionTrue)
		for range 3 {
			from := b.Journal().now()
			p.ResetAll()
			b.Journal().wait(t, from, "connection to the API server")
			b.Journal().wait(t, from, "connected to the API server")
			o.renewedNow(t, name)
		}
		after := o.nodeReady(t, name, core.ConditionTrue)
		before, now := condition(n, core.NodeReady), condition(after, core.NodeReady)
		if !before.LastTransitionTime.Equal(&now.LastTransitionTime) {
			t.Errorf("Ready since %v, before the resets since %v", now.LastTransitionTime, before.LastTransitionTime)
		}
	})
}

// The connection is cut at many places of a node's start: in the wake of the
// TCP handshake, in each message of the TLS handshake, in requests, in replies.
func TestConnectionCutAnywhere(t *testing.T) {
	onBodies(t, 0, func(t *testing.T, b Body, name string) {
		s, o, p := throughProxy(t, sharedCluster(t), name)
		start := func() {
			from := b.Journal().now()
			b.Start(t, s)
			b.Journal().wait(t, from, "lease claimed")
			b.Journal().wait(t, from, "status reported")
			b.Kill(t)
		}
		start() // creates the Node; every later start finds it there
		created := p.Counts()
		start()
		whole := p.Counts()
		lengths := map[wire.Direction]int64{
			wire.ToServer: whole.ToServer.Bytes - created.ToServer.Bytes,
			wire.ToClient: whole.ToClient.Bytes - created.ToClient.Bytes,
		}
		places := int64(12)
		if full {
			places = 150
		}
		asked, cuts := 0, 0
		for d, length := range lengths {
			for n := range places {
				before := len(p.Connections())
				p.CutAfter(d, n*length/places)
				start()
				asked++
				if p.Connections()[before].Cut {
					cuts++
				}
			}
		}
		t.Logf("%d cuts, up to %d bytes to the server and %d to the client",
			cuts, lengths[wire.ToServer], lengths[wire.ToClient])
		// The last ones may lie behind the last byte.
		if cuts < asked*9/10 {
			t.Errorf("%d cuts came about, want %d", cuts, asked)
		}
		b.Start(t, s)
		o.renewedNow(t, name)
		o.nodeReady(t, name, core.ConditionTrue)
	})
}

// A peer that vanishes without a word is noticed, and found again.
func TestSilentPeerIsNoticed(t *testing.T) {
	onBodies(t, 0, func(t *testing.T, b Body, name string) {
		s, o, p := throughProxy(t, sharedCluster(t), name)
		s.LeaseSeconds = 0 // renewals as far apart as they are by default
		b.Start(t, s)
		o.nodeReady(t, name, core.ConditionTrue)
		b.Journal().wait(t, 0, "lease claimed")
		from := b.Journal().now()
		p.Silence(true)
		began := time.Now()
		until(t, patience, "the node gives the connection up", func() bool {
			return !p.Connections()[0].ClientGone.IsZero()
		})
		noticed := p.Connections()[0].ClientGone.Sub(began)
		lost := b.Journal().wait(t, from, "connection to the API server")
		t.Logf("noticed after %v (%s)", noticed.Round(time.Millisecond), lost.field("reason"))
		// 15 s are promised; the rest is for a machine with too much to do.
		if noticed > 20*time.Second {
			t.Errorf("noticed after %v", noticed)
		}
		if lost.field("reason") != "no answer in time" {
			t.Errorf("log: %s", lost.Text)
		}
		o.nodeReady(t, name, core.ConditionUnknown)
		// A silence of less than 15 s would not be one to a cluster with the
		// usual grace period; ours has a shorter one.
		until(t, patience, "the silence is long", func() bool { return time.Since(began) > 17*time.Second })
		p.Silence(false)
		ended := time.Now()
		o.nodeReady(t, name, core.ConditionTrue)
		t.Logf("Ready again %v after the silence", time.Since(ended).Round(time.Millisecond))
	})
}

// The API server is stopped, for a minute with FULL=1, and comes back.
func TestAPIServerOutage(t *testing.T) {
	outage := 20 * time.Second
	if full {
		outage = time.Minute
	}
	onBodies(t, 0, func(t *testing.T, b Body, name string) {
		c, err := cluster.Start(t.Context(), cluster.Options{
			NodeMonitorGrace: grace, NodeMonitorPeriod: time.Second,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Stop() })
		s, o, p := throughProxy(t, c, name)
		b.Start(t, s)
		uid := o.nodeReady(t, name, core.ConditionTrue).UID
		from := b.Journal().now()
		// A stopped server's port refuses connections; the proxy's has to, too.
		if err := p.Refuse(true); err != nil {
			t.Fatal(err)
		}
		if err := c.StopAPIServer(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(outage) // the outage itself
		tries := b.Journal().since(from, "connection to the API server")
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := c.StartAPIServer(ctx); err != nil {
			t.Fatal(err)
		}
		before := p.Counts()
		if err := p.Refuse(false); err != nil {
			t.Fatal(err)
		}
		up := time.Now()
		b.Journal().wait(t, from, "connected to the API server")
		o.renewedNow(t, name)
		n := o.nodeReady(t, name, core.ConditionTrue)
		recovered := time.Since(up)
		if n.UID != uid {
			t.Error("the Node was made anew")
		}
		after := p.Counts()
		t.Logf("%d tries in %v; recovered %v after the server; then %d connections, %d bytes to the server",
			len(tries), outage, recovered.Round(time.Millisecond),
			after.Connections-before.Connections, after.ToServer.Bytes-before.ToServer.Bytes)
		// Doubled from 0.2 s to 8 s: five tries in the first 7 s, then one
		// every 6 s at the soonest.
		if most := 6 + int(outage/(6*time.Second)); len(tries) > most {
			t.Errorf("%d tries in %v, want %d at most", len(tries), outage, most)
		}
		if after.Connections-before.Connections > 2 {
			t.Errorf("%d connections after the outage", after.Connections-before.Connections)
		}
	})
}
