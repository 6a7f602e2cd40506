package field

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"femtokubelet.dev/e2e/cluster"
)

// witness sees every state that a Node and its Lease go through, from before
// the Node is there on: its watches go on where they broke off.
type witness struct {
	mu      sync.Mutex
	changed chan struct{} // closed and replaced with each event
	node    *core.Node    // nil: not there
	lease   *coordination.Lease
	flips   []flip
	renewed []time.Time // when each renewal was seen
	faults  []string    // what must not be, whatever happens to the network
}

// flip is a change of Ready's status.
type flip struct {
	at     time.Time
	status core.ConditionStatus
	reason string
}

func (f flip) String() string {
	return fmt.Sprintf("%s (%s) at %s", f.status, f.reason, f.at.Format("15:04:05.000"))
}

// watcher begins a watch with a method of client-go's typed clients.
type watcher func(context.Context, meta.ListOptions) (watch.Interface, error)

func newWitness(t *testing.T, c *cluster.Cluster, name string) *witness {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1 // no limit
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{changed: make(chan struct{})}
	only := meta.ListOptions{FieldSelector: "metadata.name=" + name}
	nodes, err := client.CoreV1().Nodes().List(t.Context(), only)
	if err != nil {
		t.Fatal(err)
	}
	if len(nodes.Items) > 0 {
		t.Fatalf("node %s is there already", name)
	}
	leases := client.CoordinationV1().Leases(core.NamespaceNodeLease)
	ctx, stop := context.WithCancel(context.Background())
	var work sync.WaitGroup
	t.Cleanup(func() {
		stop()
		work.Wait()
	})
	for _, begin := range []watcher{client.CoreV1().Nodes().Watch, leases.Watch} {
		options := only
		options.ResourceVersion = nodes.ResourceVersion // etcd's: of all objects
		work.Go(func() { w.follow(ctx, begin, options) })
	}
	return w
}

// rewatch is how soon a watch is begun again that the server ended.
const rewatch = 100 * time.Millisecond

// follow passes no event over: a watch begins behind the last object seen.
func (w *witness) follow(ctx context.Context, begin watcher, options meta.ListOptions) {
	for ctx.Err() == nil {
		if events, err := begin(ctx, options); err == nil {
			for event := range events.ResultChan() {
				w.see(event)
				if object, ok := event.Object.(meta.Object); ok {
					options.ResourceVersion = object.GetResourceVersion()
				}
			}
			events.Stop()
		}
		select {
		case <-ctx.Done():
		case <-time.After(rewatch):
		}
	}
}

func (w *witness) see(event watch.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch object := event.Object.(type) {
	case *core.Node:
		w.seeNode(object, event.Type)
	case *coordination.Lease:
		w.seeLease(object, event.Type)
	default:
		w.fault("the watch broke: %+v", event.Object)
	}
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *witness) fault(format string, args ...any) {
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
}

// seeNode is called with mu held, as seeLease is.
func (w *witness) seeNode(n *core.Node, kind watch.EventType) {
	if w.node != nil && (kind == watch.Deleted || w.node.UID != n.UID) {
		w.fault("the Node was deleted or made anew")
	}
	w.node = n
	ready := condition(n, core.NodeReady)
	if len(w.flips) == 0 || w.flips[len(w.flips)-1].status != ready.Status {
		w.flips = append(w.flips, flip{time.Now(), ready.Status, ready.Reason})
	}
}

func (w *witness) seeLease(l *coordination.Lease, kind watch.EventType) {
	if before := w.lease; before != nil {
		switch {
		case kind == watch.Deleted || before.UID != l.UID:
			w.fault("the Lease was deleted or made anew")
		case transitions(before) != transitions(l) || *before.Spec.HolderIdentity != *l.Spec.HolderIdentity:
			w.fault("the Lease changed hands: %+v", l.Spec)
		case before.Spec.RenewTime.Equal(l.Spec.RenewTime):
			w.lease = l // others may write to it
			return
		case !before.Spec.RenewTime.Before(l.Spec.RenewTime):
			w.fault("renewTime went from %v to %v", before.Spec.RenewTime, l.Spec.RenewTime)
		}
	}
	w.lease = l
	w.renewed = append(w.renewed, time.Now())
}

func transitions(l *coordination.Lease) int32 {
	if l.Spec.LeaseTransitions == nil {
		return 0
	}
	return *l.Spec.LeaseTransitions
}

// condition of that type; an empty one if there is none.
func condition(n *core.Node, kind core.NodeConditionType) core.NodeCondition {
	if n != nil {
		for _, c := range n.Status.Conditions {
			if c.Type == kind {
				return c
			}
		}
	}
	return core.NodeCondition{}
}

// await returns how long it took until ok, which may look at all that was seen.
func (w *witness) await(t *testing.T, within time.Duration, what string, ok func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	late := time.After(within)
	for {
		w.mu.Lock()
		changed, done := w.changed, ok()
		w.mu.Unlock()
		if done {
			return time.Since(began)
		}
		select {
		case <-changed:
		case <-late:
			w.mu.Lock()
			defer w.mu.Unlock()
			t.Fatalf("not within %v: %s; Ready was %v; %d renewals, the last at %v; node %+v",
				within, what, w.flips, len(w.renewed), last(w.renewed).Format("15:04:05.000"), status(w.node))
		}
	}
}

func last(times []time.Time) time.Time {
	if len(times) == 0 {
		return time.Time{}
	}
	return times[len(times)-1]
}

func status(n *core.Node) any {
	if n == nil {
		return "not there"
	}
	return n.Status.Addresses
}

// isReady is for await: Ready, and a renewal was seen after a moment.
func (w *witness) isReady(after time.Time) func() bool {
	return func() bool {
		return condition(w.node, core.NodeReady).Status == core.ConditionTrue && last(w.renewed).After(after)
	}
}

// ready waits until the node is Ready and was heard of after now.
func (w *witness) ready(t *testing.T, within time.Duration) time.Duration {
	t.Helper()
	return w.await(t, within, "Ready, with a fresh Lease", w.isReady(time.Now()))
}

// gap is the longest time without a renewal, from a moment on up to now, and
// how many renewals there were.
func (w *witness) gap(from time.Time) (longest time.Duration, count int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := from
	for _, at := range w.renewed {
		if at.Before(from) {
			before = at
		}
	}
	for _, at := range append(slices.Clone(w.renewed), time.Now()) {
		if !at.Before(from) {
			longest = max(longest, at.Sub(before))
			before = at
			count++
		}
	}
	return longest, count - 1
}

// unready lists the times since a moment when Ready became something else.
func (w *witness) unready(from time.Time) []flip {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []flip
	for _, f := range w.flips {
		if f.status != core.ConditionTrue && f.at.After(from) {
			list = append(list, f)
		}
	}
	return list
}

// internalIP is for await, too.
func (w *witness) internalIP() string {
	if w.node == nil {
		return ""
	}
	for _, a := range w.node.Status.Addresses {
		if a.Type == core.NodeInternalIP {
			return a.Address
		}
	}
	return ""
}

// err tells what must not have been.
func (w *witness) err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var errs []error
	for _, fault := range w.faults {
		errs = append(errs, errors.New(fault))
	}
	return errors.Join(errs...)
}
