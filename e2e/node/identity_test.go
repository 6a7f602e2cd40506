package node

import (
	"os"
	"strings"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"femtokubelet.dev/e2e/cluster"
)

// The node's name and its certificate's do not agree: the API server refuses
// all of it, which the log explains, and nothing is hammered.
func TestNameOfAnotherNode(t *testing.T) {
	onBodies(t, 0, func(t *testing.T, b Body, name string) {
		c := sharedCluster(t)
		s, o, p := throughProxy(t, c, name)
		s.Name = name + "-other"
		b.Start(t, s)
		e := b.Journal().wait(t, 0, "request failed")
		if e.field("status") != "403" || e.field("what") != "node registration" {
			t.Errorf("log: %s", e.Text)
		}
		if advice := e.field("advice"); !strings.Contains(advice, "system:node:<name>") {
			t.Errorf("advice %q", advice)
		}
		if message := e.field("message"); !strings.Contains(message, "not allowed") && !strings.Contains(message, "forbidden") {
			t.Errorf("message %q", message)
		}
		again := b.Journal().wait(t, b.Journal().now(), "request failed") // 5 s, less a quarter
		if waited := again.Arrived.Sub(e.Arrived); waited < 3*time.Second {
			t.Errorf("asked again after %v", waited)
		}
		if n := p.Counts().Connections; n != 1 {
			t.Errorf("%d connections", n)
		}
		if _, err := o.core.Nodes().Get(t.Context(), s.Name, meta.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("node %s: %v", s.Name, err)
		}
		leave(t, b)
	})
}

// The certificate ends while the node runs. The API server's word for it is
// 401; the node says what is the matter, and does not hammer.
func TestCertificateExpiresWhileRunning(t *testing.T) {
	onBodies(t, 0, func(t *testing.T, b Body, name string) {
		c := sharedCluster(t)
		req := nodeCertificate(name)
		req.NotAfter = time.Now().Add(6*time.Second + b.Kind().slow)
		pair, err := c.CA().Issue(req)
		if err != nil {
			t.Fatal(err)
		}
		o := observe(t, c)
		text := cluster.FormatKubeconfig(c.URL(), c.CA().CertPEM, "node", pair)
		b.Start(t, settings{Name: name, Kubeconfig: writeFile(t, "kubeconfig", string(text)), LeaseSeconds: 10})
		b.Journal().wait(t, 0, "the client certificate expires soon")
		o.nodeReady(t, name, core.ConditionTrue)
		e := b.Journal().wait(t, 0, `"status":401`)
		if advice := e.field("advice"); advice == "" {
			t.Errorf("log: %s", e.Text)
		}
		o.nodeReady(t, name, core.ConditionUnknown)
		if n := len(b.Journal().since(0, `"status":401`)); n > 6 { // each duty has its own delays
			t.Errorf("%d requests that were refused", n)
		}
	})
}

// A certificate of another CA: the server says 401, too.
func TestCertificateOfAnotherCluster(t *testing.T) {
	onBodies(t, 0, func(t *testing.T, b Body, name string) {
		c := sharedCluster(t)
		other, err := cluster.NewCA("another cluster", false)
		if err != nil {
			t.Fatal(err)
		}
		pair, err := other.Issue(nodeCertificate(name))
		if err != nil {
			t.Fatal(err)
		}
		text := cluster.FormatKubeconfig(c.URL(), c.CA().CertPEM, "node", pair)
		b.Start(t, settings{Name: name, Kubeconfig: writeFile(t, "kubeconfig", string(text))})
		e := b.Journal().wait(t, 0, `"status":401`)
		if !strings.Contains(e.field("advice"), "does not know this node's credentials") {
			t.Errorf("log: %s", e.Text)
		}
		for _, e := range b.Journal().since(0, "") {
			if strings.Contains(e.Text, "PRIVATE KEY") {
				t.Error("a key in the log")
			}
		}
	})
}

// A node asks for what it may have, and for nothing else: no request of any
// node of these tests was refused that was not meant to be.
func forbiddenRequests(log string) ([]string, error) {
	data, err := os.ReadFile(log)
	if err != nil {
		return nil, err
	}
	var found []string
	for line := range strings.Lines(string(data)) {
		if strings.Contains(line, `"code":403`) && strings.Contains(line, "femtokubelet/") &&
			!strings.Contains(line, "nameofanothernode") {
			found = append(found, line)
		}
	}
	return found, nil
}
