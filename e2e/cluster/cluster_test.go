package cluster

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func start(t *testing.T, opts Options) *Cluster {
	t.Helper()
	opts.Progress = func(step, detail string, elapsed time.Duration) {
		if elapsed < time.Second || int(elapsed.Seconds())%10 == 0 {
			t.Logf("%s %s %v", step, detail, elapsed.Round(time.Second))
		}
	}
	began := time.Now()
	c, err := Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Stop() })
	t.Logf("up after %v", time.Since(began).Round(time.Millisecond))
	return c
}

// TestClusterLife is the life of a cluster as tests use it: up, a second one
// beside it, an API server that goes and comes, down, and nothing left.
func TestClusterLife(t *testing.T) {
	if testing.Short() {
		t.Skip("starts real control planes")
	}
	one := start(t, Options{Audit: true, NodeMonitorGrace: 8 * time.Second, NodeMonitorPeriod: time.Second})
	two := start(t, Options{RSA: true})
	for _, c := range []*Cluster{one, two} {
		namespaces, err := c.Kubectl("get", "namespaces", "-o", "name")
		if err != nil || !strings.Contains(namespaces, "namespace/kube-node-lease") {
			t.Fatalf("kubectl get namespaces: %q, %v", namespaces, err)
		}
	}
	if _, err := one.Kubectl("create", "configmap", "survives"); err != nil {
		t.Fatal(err)
	}
	if _, err := two.Kubectl("get", "configmap", "survives"); err == nil {
		t.Error("the clusters share their data")
	}
	audit, err := os.ReadFile(one.AuditLog())
	if err != nil || !strings.Contains(string(audit), `"name":"survives"`) {
		t.Errorf("no audit event of the request before: %v", err)
	}
	nodeRights(t, one)
	etcdIsShut(t, one)
	bootstraps(t, one)
	silentNodeIsNoticed(t, one)
	reachesNodes(t, one)
	takesCertificate(t, two)
	apiserverGoesAndComes(t, one)
	for _, c := range []*Cluster{one, two} {
		stopAndLook(t, c)
	}
}

func nodeRights(t *testing.T, c *Cluster) {
	t.Helper()
	kubeconfig, err := c.NodeKubeconfig("rack-1")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		question, want string
	}{
		{"create nodes", "yes"},
		{"delete nodes", "no"},
		{"list secrets -A", "no"},
		{"create pods", "yes"}, // mirror pods only, says NodeRestriction
		{"create clusterrolebindings", "no"},
	} {
		args := append([]string{"--kubeconfig", kubeconfig, "auth", "can-i"}, strings.Fields(row.question)...)
		answer, _ := c.Kubectl(args...) // "no" is also exit status 1
		if word, _, _ := strings.Cut(strings.TrimSpace(answer), " "); word != row.want {
			t.Errorf("may a node %s? %q, want %q", row.question, answer, row.want)
		}
	}
	who, err := c.Kubectl("--kubeconfig", kubeconfig, "auth", "whoami")
	if err != nil || !strings.Contains(who, "system:node:rack-1") || strings.Contains(who, mastersGroup) {
		t.Errorf("whoami: %q, %v", who, err)
	}
}

// etcdIsShut: neither nobody nor a node gets anything out of etcd.
func etcdIsShut(t *testing.T, c *Cluster) {
	t.Helper()
	etcdCA, err := loadCA(c.pki.cert(caEtcd), c.pki.key(caEtcd))
	if err != nil {
		t.Fatal(err)
	}
	node, err := c.CA().Issue(nodeRequest("rack-1"))
	if err != nil {
		t.Fatal(err)
	}
	for name, pair := range map[string]*KeyPair{"no certificate": nil, "a node's certificate": node} {
		for _, claim := range []*portClaim{c.ports.etcd, c.ports.etcdPeer} {
			// The refusal shows as an alert or as a broken connection.
			err := get(t.Context(), httpClient(etcdCA, pair), claim.url()+"/version")
			if err == nil || errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("etcd with %s: %v", name, err)
			}
		}
	}
}

// bootstraps: a token leads to an approved and signed client certificate.
func bootstraps(t *testing.T, c *Cluster) {
	t.Helper()
	kubeconfig, err := c.BootstrapKubeconfig()
	if err != nil {
		t.Fatal(err)
	}
	key, err := newKey(false)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "system:node:rack-2", Organization: []string{nodesGroup}}}, key)
	if err != nil {
		t.Fatal(err)
	}
	manifest := fmt.Sprintf(`{"apiVersion":"certificates.k8s.io/v1","kind":"CertificateSigningRequest",
		"metadata":{"name":"rack-2"},"spec":{"signerName":"kubernetes.io/kube-apiserver-client-kubelet",
		"usages":["digital signature","client auth"],"request":%q}}`,
		b64(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr})))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := c.KubectlContext(ctx, manifest, "--kubeconfig", kubeconfig, "create", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Kubectl("wait", "--for=jsonpath={.status.certificate}", "csr/rack-2", "--timeout=30s"); err != nil {
		t.Error(err)
	}
	if answer, _ := c.Kubectl("--kubeconfig", kubeconfig, "auth", "can-i", "create", "nodes"); !strings.HasPrefix(answer, "no") {
		t.Errorf("a bootstrap token may create nodes: %q", answer)
	}
}

// silentNodeIsNoticed within the grace period asked for (8 s), not the usual.
func silentNodeIsNoticed(t *testing.T, c *Cluster) {
	t.Helper()
	kubeconfig, err := c.NodeKubeconfig("rack-1")
	if err != nil {
		t.Fatal(err)
	}
	node := `{"apiVersion":"v1","kind":"Node","metadata":{"name":"rack-1"}}`
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := c.KubectlContext(ctx, node, "--kubeconfig", kubeconfig, "create", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	patch := `{"status":{"conditions":[{"type":"Ready","status":"True","reason":"KubeletReady"}]}}`
	// As the admin: kubectl reads the subresource first, which no node may.
	if _, err := c.Kubectl("patch", "node", "rack-1", "--subresource=status", "-p", patch); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := c.Kubectl("wait", "--for=condition=Ready=Unknown", "node/rack-1", "--timeout=30s"); err != nil {
		t.Error(err)
	}
	t.Logf("the silent node was noticed after %v", time.Since(began).Round(100*time.Millisecond))
}

// takesCertificate: a running API server shows an expired certificate when
// told to.
func takesCertificate(t *testing.T, c *Cluster) {
	t.Helper()
	req := ServingRequest(&c.opts)
	req.NotAfter = time.Now().Add(-time.Minute)
	pair, err := c.CA().Issue(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetServingCertificate(pair); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	client := httpClient(c.CA(), nil)
	client.Transport.(*http.Transport).DisableKeepAlives = true
	for {
		err := get(t.Context(), client, c.URL()+"/version")
		if err != nil && strings.Contains(err.Error(), "certificate has expired") {
			t.Logf("the new certificate was shown after %v", time.Since(began).Round(10*time.Millisecond))
			return
		}
		if time.Since(began) > 90*time.Second {
			t.Fatalf("the API server keeps its old certificate: %v", err)
		}
		time.Sleep(pollPeriod)
	}
}

func apiserverGoesAndComes(t *testing.T, c *Cluster) {
	t.Helper()
	for _, end := range []func() error{c.StopAPIServer, c.KillAPIServer} {
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if _, err := net.DialTimeout("tcp", c.ports.apiserver.address(), time.Second); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("the stopped API server's port: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		err := c.StartAPIServer(ctx)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Kubectl("get", "configmap", "survives"); err != nil {
			t.Error(err)
		}
	}
	select {
	case err := <-c.Failed():
		t.Error(err)
	default:
	}
}

func stopAndLook(t *testing.T, c *Cluster) {
	t.Helper()
	processes := c.Processes()
	if len(processes) != 4 {
		t.Errorf("%d components, want 4", len(processes))
	}
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
	for name, id := range processes {
		if id.Alive() {
			t.Errorf("%s still runs", name)
		}
	}
	for _, claim := range c.claims {
		listener, err := net.Listen("tcp", claim.address())
		if err != nil {
			t.Errorf("port in use: %v", err)
			continue
		}
		listener.Close()
	}
	if _, err := os.Stat(c.tempDir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: %v", c.tempDir, err)
	}
}

// A component that refuses its flags is named at once, with its own words.
func TestStartFails(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a real control plane")
	}
	dir := t.TempDir()
	_, err := Start(t.Context(), Options{Dir: dir, ExtraArgs: map[string][]string{apiserverName: {"--no-such-flag"}}})
	if err == nil || !strings.Contains(err.Error(), "unknown flag: --no-such-flag") {
		t.Errorf("got %v", err)
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 1 || entries[0].Name() != "logs" {
		t.Errorf("left behind: %v", entries)
	}
}
