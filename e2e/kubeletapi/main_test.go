// Package kubeletapi holds the tests of the kubelet's own port: who may ask
// what, answers that real clients understand, clients that are hostile, and
// ConfigMaps that configure the node. Its nodes, processes and boards, are in
// one network lab, and so are those who ask them; the API server comes in
// there by its egress.
package kubeletapi

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"femtokubelet.dev/e2e/cluster"
	"femtokubelet.dev/e2e/lab"
)

const (
	// patience bounds every wait for what ought to happen within seconds; the
	// machine may be slow.
	patience = 90 * time.Second
	// grace is how long the cluster waits for a silent node.
	grace = 40 * time.Second
	// parallel stories: most wait, some keep a processor busy.
	parallel = "8"
)

// full asks for the long variants: more changes, floods of a minute, every
// byte of a sweep.
var full = os.Getenv("FULL") != ""

// long is what a story takes, in the variant that was asked for.
func long[T any](short, whole T) T {
	if full {
		return whole
	}
	return short
}

// world is the lab and what is in it.
type world struct {
	*cluster.Cluster
	lab    *lab.Lab
	client kubernetes.Interface // the administrator's
}

var shared struct {
	once  sync.Once
	lab   *lab.Lab
	world *world
	err   error
}

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", parallel); err != nil {
		panic(err)
	}
	code := m.Run()
	if shared.world != nil {
		if err := shared.world.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	if shared.lab != nil {
		if err := shared.lab.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// ourWorld opens at the first call. All nodes are in one lab, since those of
// two would have the same addresses.
func ourWorld(t *testing.T) *world {
	t.Helper()
	shared.once.Do(func() {
		if shared.lab, shared.err = lab.Open(context.Background(), lab.Options{}); shared.err == nil {
			shared.world, shared.err = newWorld(cluster.Options{})
		}
	})
	if errors.Is(shared.err, lab.ErrNotAllowed) && os.Getenv("CI") == "" && os.Geteuid() != 0 {
		t.Skip(shared.err)
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.world
}

// secondCluster is a control plane of a test's own, in the same lab.
func secondCluster(t *testing.T, opts cluster.Options) *world {
	t.Helper()
	ourWorld(t)
	w, err := newWorld(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Stop(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// Ports of API servers, and addresses of nodes that are processes: below those
// of DHCP.
const (
	firstPort = 6443
	firstHost = 11
)

var given struct {
	sync.Mutex
	ports, hosts int
}

func newWorld(opts cluster.Options) (*world, error) {
	w := &world{lab: shared.lab}
	opts.NodeMonitorGrace, opts.NodeMonitorPeriod = grace, time.Second
	opts.Audit, opts.DialNode = true, w.dial
	var err error
	if w.Cluster, err = cluster.Start(context.Background(), opts); err != nil {
		return nil, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", w.Kubeconfig())
	if err == nil {
		config.QPS = -1 // no limit
		w.client, err = kubernetes.NewForConfig(config)
	}
	if err == nil {
		_, err = w.client.CoreV1().Namespaces().Create(context.Background(),
			&core.Namespace{ObjectMeta: meta.ObjectMeta{Name: configNamespace}}, meta.CreateOptions{})
	}
	if err != nil {
		return nil, errors.Join(err, w.Stop())
	}
	return w, nil
}

// metricsName is what the API server takes metrics-server's address for.
const metricsName = "metrics-server" + "." + lab.Domain

// dial connects from inside the lab.
func (w *world) dial(_ context.Context, network, address string) (net.Conn, error) {
	if port, ok := strings.CutPrefix(address, metricsName+":"); ok {
		address = net.JoinHostPort(lab.Gateway, port)
	}
	return w.lab.Dial(network, address)
}

// port is one of the API server's in the lab.
func (w *world) port() int {
	given.Lock()
	defer given.Unlock()
	given.ports++
	return firstPort + given.ports - 1
}

// host gives the lab one more address.
func (w *world) host(t *testing.T) string {
	t.Helper()
	given.Lock()
	address := fmt.Sprintf("10.99.0.%d", firstHost+given.hosts)
	given.hosts++
	given.Unlock()
	if _, err := w.lab.Run(t.Context(), "ip", "address", "add", address+"/32", "dev", "lo"); err != nil {
		t.Fatal(err)
	}
	return address
}
