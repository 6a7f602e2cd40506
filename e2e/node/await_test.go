package node

import (
	"context"
	"testing"
	"time"

	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/clientcmd"

	"femtokubelet.dev/e2e/cluster"
)

// rewatch is how soon a watch is begun again that the server ended.
const rewatch = 100 * time.Millisecond

// observer looks at a cluster's objects with an administrator's eyes.
type observer struct {
	core         coreclient.CoreV1Interface
	coordination coordinationclient.CoordinationV1Interface
}

func observe(t *testing.T, c *cluster.Cluster) *observer {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1 // no limit
	var o observer
	if o.core, err = coreclient.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	if o.coordination, err = coordinationclient.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	return &o
}

func (o *observer) leases() coordinationclient.LeaseInterface {
	return o.coordination.Leases(core.NamespaceNodeLease)
}

// follow watches one object, from its present state on, until see has seen
// enough. A nil object means that it was deleted.
func follow[T any](ctx context.Context, begin func(context.Context, meta.ListOptions) (watch.Interface, error),
	name string, see func(object *T) (enough bool)) error {
	var last error
	for ctx.Err() == nil {
		w, err := begin(ctx, meta.ListOptions{FieldSelector: "metadata.name=" + name})
		if err != nil {
			last = err
		} else {
			for event := range w.ResultChan() {
				object, ok := any(event.Object).(*T)
				if event.Type == watch.Deleted {
					object = nil
				} else if !ok {
					break // a Status: begin again
				}
				if see(object) {
					w.Stop()
					return nil
				}
			}
			w.Stop()
		}
		select {
		case <-ctx.Done():
		case <-time.After(rewatch):
		}
	}
	if last == nil {
		last = ctx.Err()
	}
	return last
}

func await[T any](t *testing.T, within time.Duration, begin func(context.Context, meta.ListOptions) (watch.Interface, error),
	name, what string, ok func(*T) bool) *T {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	var found, latest *T
	err := follow(ctx, begin, name, func(object *T) bool {
		latest = object
		if object != nil && ok(object) {
			found = object
		}
		return found != nil
	})
	if err != nil {
		t.Fatalf("not within %v: %s: %v; latest: %+v", within, what, err, latest)
	}
	return found
}

// node waits until the Node is as wanted.
func (o *observer) node(t *testing.T, name, what string, ok func(*core.Node) bool) *core.Node {
	t.Helper()
	return await(t, patience, o.core.Nodes().Watch, name, "node "+name+": "+what, ok)
}

func (o *observer) lease(t *testing.T, name, what string, ok func(*coordination.Lease) bool) *coordination.Lease {
	t.Helper()
	return await(t, patience, o.leases().Watch, name, "lease "+name+": "+what, ok)
}

// nodeReady waits for Ready to have this status.
func (o *observer) nodeReady(t *testing.T, name string, status core.ConditionStatus) *core.Node {
	t.Helper()
	return o.node(t, name, "Ready="+string(status), readyIs(status))
}

func readyIs(status core.ConditionStatus) func(*core.Node) bool {
	return func(n *core.Node) bool { return condition(n, core.NodeReady).Status == status }
}

// condition of that type; an empty one if there is none.
func condition(n *core.Node, kind core.NodeConditionType) core.NodeCondition {
	for _, c := range n.Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return core.NodeCondition{}
}

// inCluster gives the usual settings of a node in a cluster, and an observer.
func inCluster(t *testing.T, c *cluster.Cluster, name string) (settings, *observer) {
	t.Helper()
	kubeconfig, err := c.NodeKubeconfig(name)
	if err != nil {
		t.Fatal(err)
	}
	// A Lease of 10 s, renewed every 2.5 s: well within the grace period.
	return settings{Name: name, Kubeconfig: kubeconfig, LeaseSeconds: 10}, observe(t, c)
}
