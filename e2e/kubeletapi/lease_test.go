package kubeletapi

import (
	"context"
	"sync"
	"testing"
	"time"

	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// leaseWatch sees each renewal of a Lease, from before the Lease is there on.
type leaseWatch struct {
	mu      sync.Mutex
	changed chan struct{} // closed and replaced with each renewal
	at      []time.Time
}

// rewatch is how soon a watch is begun again that the server ended.
const rewatch = 100 * time.Millisecond

func watchLease(t *testing.T, w *world, name string) *leaseWatch {
	t.Helper()
	l := &leaseWatch{changed: make(chan struct{})}
	ctx, stop := context.WithCancel(context.Background())
	var work sync.WaitGroup
	t.Cleanup(func() {
		stop()
		work.Wait()
	})
	work.Go(func() {
		leases := w.client.CoordinationV1().Leases(core.NamespaceNodeLease)
		var last meta.MicroTime
		for ctx.Err() == nil {
			events, err := leases.Watch(ctx, meta.ListOptions{FieldSelector: "metadata.name=" + name})
			if err == nil {
				for event := range events.ResultChan() {
					lease, ok := event.Object.(*coordination.Lease)
					if ok && lease.Spec.RenewTime != nil && !lease.Spec.RenewTime.Equal(&last) {
						last = *lease.Spec.RenewTime
						l.see()
					}
				}
				events.Stop()
			}
			select {
			case <-ctx.Done():
			case <-time.After(rewatch):
			}
		}
	})
	return l
}

func (l *leaseWatch) see() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at = append(l.at, time.Now())
	close(l.changed)
	l.changed = make(chan struct{})
}

// renewed waits for a renewal after a moment, unless the node is over.
func (l *leaseWatch) renewed(t *testing.T, after time.Time, over func() bool) {
	t.Helper()
	late := time.After(patience)
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for {
		l.mu.Lock()
		changed := l.changed
		done := len(l.at) > 0 && l.at[len(l.at)-1].After(after)
		l.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-look.C:
			if over() {
				t.Fatal("the node has ended")
			}
		case <-late:
			t.Fatalf("the Lease was not renewed within %v", patience)
		}
	}
}

// gap is the longest time without a renewal, from a moment on up to now.
func (l *leaseWatch) gap(from time.Time) (longest time.Duration, count int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := from
	for _, at := range l.at {
		if at.Before(from) {
			before = at
			continue
		}
		longest = max(longest, at.Sub(before))
		before = at
		count++
	}
	return max(longest, time.Since(before)), count
}
