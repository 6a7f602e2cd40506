// Package cluster runs a real Kubernetes control plane (etcd, API server,
// controller manager, scheduler) on loopback for tests. It owns the processes
// it starts and the folder it makes, and removes both again, also when the
// caller is killed. Linux only.
package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// startTimeout bounds the start without the build; 5 s are usual, a loaded
// machine may take many times that.
const startTimeout = 3 * time.Minute

// Options of a cluster. The zero value is useful.
type Options struct {
	// Dir is where run-ID/ (gone after Stop) and logs/ (kept until the next
	// Start there) are made. Empty: a temporary folder that goes with Stop.
	Dir string

	// NodeMonitorGrace is how long a node may be silent before it is called
	// NotReady, NodeMonitorPeriod how often that is looked at. Zero: the
	// controller manager's own defaults (50 s and 5 s).
	NodeMonitorGrace, NodeMonitorPeriod time.Duration

	// Audit writes one line per request, see Access.AuditLog.
	Audit bool

	// RSA makes the API server's certificate and the cluster's CA RSA-2048,
	// as kubeadm does. The default is ECDSA P-256.
	RSA bool

	// ExtraSANs are further names and addresses in the API server's
	// certificate. It always has localhost, 127.0.0.1, ::1, 10.0.2.2 and the
	// network lab's.
	ExtraSANs []string

	// VerifyKubelets makes the API server demand kubelet serving certificates
	// signed by the cluster's CA. Without it, any certificate will do.
	VerifyKubelets bool

	// NoBootstrapRBAC leaves out the bindings that let bootstrap tokens and
	// nodes obtain client certificates, for tests that apply their own.
	NoBootstrapRBAC bool

	// ExtraArgs are added to a component's command line, by component name
	// ("kube-apiserver", "kube-controller-manager", "kube-scheduler").
	ExtraArgs map[string][]string

	// DialNode connects to where nodes and aggregated API servers are, for
	// addresses that are neither on loopback nor have a Route. It must reach no
	// other machine; a lab's Dial does.
	DialNode Dialer

	// Binary is a control-plane binary to use instead of EnsureBinary's.
	Binary string

	Progress Progress
}

// Cluster is a control plane whose processes are children of this one.
type Cluster struct {
	*Access
	opts    Options
	tempDir string // removed by Stop if not empty
	ports   ports
	claims  []*portClaim
	spawner *spawner
	janitor *janitor
	egress  *egress
	admin   *http.Client

	mu        sync.Mutex // guards processes
	processes map[string]*process
	failed    chan error
	stopping  chan struct{}
	stopOnce  sync.Once
	stopErr   error
}

// Start brings a control plane up, building it first if needed, and returns
// when it answers, its controllers run and the "default" service account is
// there. If ctx ends earlier, everything is taken down again; later, ctx means
// nothing.
func Start(ctx context.Context, opts Options) (*Cluster, error) {
	binary := opts.Binary
	if binary == "" {
		var err error
		if binary, err = EnsureBinary(ctx, opts.Progress); err != nil {
			return nil, err
		}
	}
	c := &Cluster{
		Access:    &Access{binary: binary},
		opts:      opts,
		processes: map[string]*process{},
		failed:    make(chan error, 1),
		stopping:  make(chan struct{}),
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context) error {
	if err := c.makeFolders(); err != nil {
		return err
	}
	c.spawner = newSpawner()
	var err error
	if c.pki, err = newPKI(filepath.Join(c.runDir, "pki"), &c.opts); err != nil {
		return err
	}
	if c.claims, err = claimPorts(5); err != nil {
		return err
	}
	c.ports = ports{c.claims[0], c.claims[1], c.claims[2], c.claims[3], c.claims[4]}
	c.url = c.ports.apiserver.url()
	if err := c.publish(); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(c.runDir, "audit-policy.yaml"), []byte(auditPolicy)); err != nil {
		return err
	}
	if c.egress, err = startEgress(c.runDir, c.dialNode); err != nil {
		return err
	}
	adminPair, err := c.pki.ca.Issue(CertRequest{CommonName: adminUser, Organization: []string{mastersGroup}, Client: true})
	if err != nil {
		return err
	}
	c.admin = httpClient(c.pki.ca, adminPair)
	return c.startComponents(ctx)
}

func (c *Cluster) startComponents(ctx context.Context) error {
	began := time.Now()
	step := func(name string) { c.opts.Progress.report("starting "+name, "", began) }
	step(etcdName)
	if err := c.startEtcd(ctx); err != nil {
		return err
	}
	step(apiserverName)
	if err := c.StartAPIServer(ctx); err != nil {
		return err
	}
	if err := c.createBindings(ctx, c.admin); err != nil {
		return err
	}
	step(controllerName + " and " + schedulerName)
	controller, err := c.spawn(controllerName, c.controllerArgs())
	if err != nil {
		return err
	}
	scheduler, err := c.spawn(schedulerName, c.schedulerArgs())
	if err != nil {
		return err
	}
	// Pods can be made in a namespace once it has its service account.
	err = await(ctx, controller, "the default service account", func(ctx context.Context) error {
		return get(ctx, c.admin, c.url+"/api/v1/namespaces/default/serviceaccounts/default")
	})
	if err != nil {
		return err
	}
	return await(ctx, scheduler, "readiness", func(ctx context.Context) error {
		return get(ctx, c.admin, c.ports.scheduler.url()+"/readyz")
	})
}

func (c *Cluster) startEtcd(ctx context.Context) error {
	ca, err := loadCA(c.pki.cert(caEtcd), c.pki.key(caEtcd))
	if err != nil {
		return err
	}
	pair, err := ca.Issue(CertRequest{CommonName: "readiness", Client: true})
	if err != nil {
		return err
	}
	client := httpClient(ca, pair)
	defer client.CloseIdleConnections()
	p, err := c.spawn(etcdName, c.etcdArgs())
	if err != nil {
		return err
	}
	return await(ctx, p, "its health", func(ctx context.Context) error {
		return get(ctx, client, c.ports.etcd.url()+"/health")
	})
}

// makeFolders makes run-ID and an empty logs. The ID keeps a late janitor of
// an earlier cluster away from this one's data.
func (c *Cluster) makeFolders() error {
	dir := c.opts.Dir
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "femtokubelet-cluster-"); err != nil {
			return err
		}
		c.tempDir = dir
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	c.logDir = filepath.Join(dir, "logs")
	if err := os.RemoveAll(c.logDir); err != nil {
		return err
	}
	if err := os.MkdirAll(c.logDir, 0o700); err != nil {
		return err
	}
	c.runDir = filepath.Join(dir, "run-"+rand.Text()[:10])
	garbage := []string{c.runDir}
	if c.tempDir != "" {
		garbage = append(garbage, dir)
	}
	if c.janitor, err = startJanitor(garbage...); err != nil {
		return err
	}
	return os.Mkdir(c.runDir, 0o700)
}
