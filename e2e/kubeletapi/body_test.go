package kubeletapi

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"femtokubelet.dev/e2e/cluster"
	"femtokubelet.dev/e2e/wire"
)

// settings are what an operator says about a node, in no body's own terms.
type settings struct {
	ConfigMaps     string        // NAMESPACE/NAME,...
	LeaseSeconds   int           // zero: the node's default
	Remember       time.Duration // who a token is and what it may; zero: the node's default
	OpenHealth     bool
	SelfSigned     bool // no certificate for the port
	NoAPIServer    bool // nobody is always allowed
	WithoutClients bool // no client CA
	BrokenClientCA bool // one that is none; boards only: a process refuses to start
	NoPort         bool
}

// quickLease is renewed every two and a half seconds: there is more to see.
const quickLease = 10

// body is how a node is made to run.
type body interface {
	// start has the node run with its settings, from whatever it kept.
	start(t *testing.T, n *node)
	// kill ends it without a goodbye.
	kill(t *testing.T)
	// ip is where it is now; empty: not known yet, the Node will tell.
	ip() string
	// log is what it said lately.
	log() string
	// over says whether it has ended.
	over() bool
	// check fails unless it lives on, unbroken.
	check(t *testing.T)
}

// kind is what bodies of one make have in common.
type kind struct {
	name string
	make func() body
	// slow is how much longer things may take than on this machine.
	slow int
	// lacks are paths that answer 404, since there is nothing to tell.
	lacks map[string]bool
	// knowsAddress: before it runs.
	knowsAddress bool
	// hasClock: it knows the time before a server told it.
	hasClock bool
	// longestWait is how long somebody with good manners may have to wait for
	// an answer amid a crowd of others, each of whom may keep a place for three
	// seconds. On a board who gets the next free place is a matter of luck.
	longestWait time.Duration
	// atOnce is how many requests at the same time are surely answered: each
	// has a connection, and a board has memory for so many handshakes.
	atOnce int
	// tooLarge is the alert for a record that there is no memory for; empty:
	// there always is.
	tooLarge string
}

var kinds = []*kind{
	{name: "linux", make: func() body { return &process{} }, slow: 1, hasClock: true, knowsAddress: true, longestWait: 15 * time.Second, atOnce: 4,
		lacks: map[string]bool{"/femto/gpio": true, "/femto/led": true}},
	{name: "qemu", make: func() body { return &circuit{} }, slow: 4, longestWait: time.Minute, atOnce: 2, tooLarge: "internal error"},
}

// node is one node in the lab, and how the world sees it.
type node struct {
	*world
	kind     *kind
	name     string
	settings settings
	body     body
	api      *wire.Proxy // between it and the API server
	apiPort  int
	pair     *cluster.KeyPair // its identity
	leases   *leaseWatch
	dir      string // its files; short, for sockets
	where    string // its port, for those who ask often
}

// onBodies runs a story in parallel to others, once for each kind of body, or
// for that alone which BODY names.
func onBodies(t *testing.T, story func(t *testing.T, k *kind)) {
	t.Helper()
	t.Parallel()
	if testing.Short() {
		t.Skip("runs nodes")
	}
	for _, k := range kinds {
		if only := os.Getenv("BODY"); only != "" && only != k.name {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			story(t, k)
		})
	}
}

// newNode makes a node that is off.
func (w *world) newNode(t *testing.T, k *kind, s settings) *node {
	t.Helper()
	n := &node{world: w, kind: k, name: nodeName(t), settings: s, body: k.make(), apiPort: w.port()}
	var err error
	// Not t.TempDir, which makes paths too long for a socket.
	if n.dir, err = os.MkdirTemp("", "port-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(n.dir) })
	if n.api, err = w.lab.Forward(n.apiPort, strings.TrimPrefix(w.URL(), "https://")); err != nil {
		t.Fatal(err)
	}
	n.pair, err = w.CA().Issue(cluster.CertRequest{
		CommonName: "system:node:" + n.name, Organization: []string{"system:nodes"}, Client: true})
	if err != nil {
		t.Fatal(err)
	}
	n.leases = watchLease(t, w, n.name)
	return n
}

// start switches a node on and waits until it is Ready and its port answers.
func (n *node) start(t *testing.T) {
	t.Helper()
	n.body.start(t, n)
	n.ready(t)
}

// ready waits for a fresh renewal, and for Ready.
func (n *node) ready(t *testing.T) {
	t.Helper()
	n.leases.renewed(t, time.Now(), n.body.over)
	eventually(t, "Ready", func(ctx context.Context) error {
		got, err := n.client.CoreV1().Nodes().Get(ctx, n.name, meta.GetOptions{})
		if err != nil {
			return err
		}
		for _, c := range got.Status.Conditions {
			if c.Type == core.NodeReady && c.Status == core.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("%+v", got.Status.Conditions)
	})
}

// readyNode is a node that runs.
func readyNode(t *testing.T, w *world, k *kind, s settings) *node {
	t.Helper()
	n := w.newNode(t, k, s)
	n.start(t)
	return n
}

// address of the port. A board knows its own from DHCP; the Node tells us.
func (n *node) address(t *testing.T) string {
	t.Helper()
	ip := n.body.ip()
	if ip == "" {
		got, err := n.client.CoreV1().Nodes().Get(t.Context(), n.name, meta.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range got.Status.Addresses {
			if a.Type == core.NodeInternalIP {
				ip = a.Address
			}
		}
	}
	return net.JoinHostPort(ip, "10250")
}

// kubeconfig of a node in the lab, by the API server's address or name.
func (n *node) kubeconfig(t *testing.T, host string) string {
	t.Helper()
	text := cluster.FormatKubeconfig(fmt.Sprintf("https://%s:%d", host, n.apiPort), n.CA().CertPEM, "node", n.pair)
	return n.file(t, "kubeconfig", text)
}

// serving writes the certificate and key of the port. Its name is the node's,
// since a board's address is not known yet.
func (n *node) serving(t *testing.T) (cert, key string) {
	t.Helper()
	req := cluster.CertRequest{CommonName: "system:node:" + n.name, Organization: []string{"system:nodes"},
		DNSNames: []string{n.name}, Server: true}
	if ip := n.body.ip(); ip != "" {
		req.IPs = []net.IP{net.ParseIP(ip)}
	}
	pair, err := n.CA().Issue(req)
	if err != nil {
		t.Fatal(err)
	}
	return n.file(t, "serving.crt", pair.CertPEM), n.file(t, "serving.key", pair.KeyPEM)
}

func (n *node) file(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(n.dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// tls is what a client with that certificate, or none, says.
func (n *node) tls(certificate *tls.Certificate) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(n.CA().Cert)
	config := &tls.Config{RootCAs: roots, ServerName: n.name, InsecureSkipVerify: n.settings.SelfSigned}
	if certificate != nil {
		// Shown whatever CAs the server asks for.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return certificate, nil
		}
	}
	return config
}

var names struct {
	sync.Mutex
	used map[string]int
}

// nodeName makes one of a test's name.
func nodeName(t *testing.T) string {
	name := strings.ToLower(strings.TrimPrefix(t.Name(), "Test"))
	name = strings.NewReplacer("/", "-", "_", "-", "%", "").Replace(name)
	names.Lock()
	defer names.Unlock()
	if names.used == nil {
		names.used = map[string]int{}
	}
	names.used[name]++
	if n := names.used[name]; n > 1 { // go test -count, or a second node of a story
		name += fmt.Sprintf("-%d", n)
	}
	return name
}

// eventually polls for what is seen from outside only.
func eventually(t *testing.T, what string, look func(ctx context.Context) error) time.Duration {
	t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		err := look(ctx)
		if err == nil {
			return time.Since(began)
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not within %v: %s: %v", patience, what, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// soon bounds what ought to happen at once.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func rounded(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
