package kubeletapi

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"femtokubelet.dev/e2e/cluster"
)

// TestEveryEndpointThroughTheAPIServer is what kubectl get --raw and dashboards do.
func TestEveryEndpointThroughTheAPIServer(t *testing.T) {
	onBodies(t, func(t *testing.T, k *kind) {
		w := ourWorld(t)
		n := readyNode(t, w, k, settings{})
		for _, e := range endpointsOf(k) {
			path := "/api/v1/nodes/" + n.name + "/proxy" + e.path
			text, err := w.KubectlContext(soon(t), "", "get", "--raw", path)
			switch {
			case e.status == http.StatusOK && (err != nil || !strings.Contains(text, e.holds)):
				t.Errorf("kubectl get --raw %s: %.300q, %v; want %q", path, text, err, e.holds)
			case e.status != http.StatusOK && err == nil:
				t.Errorf("kubectl get --raw %s: %.300q; want status %d", path, text, e.status)
			case e.status != http.StatusOK && !strings.Contains(err.Error(), "Error from server"):
				t.Errorf("kubectl get --raw %s: no error that kubectl understands: %v", path, err)
			}
		}
		n.body.check(t)
	})
}

// TestEveryEndpoint asks the port itself: statuses, types and bodies; HEAD has
// the head of GET and nothing more; other methods are refused.
func TestEveryEndpoint(t *testing.T) {
	onBodies(t, func(t *testing.T, k *kind) {
		n := readyNode(t, ourWorld(t), k, settings{})
		a := n.asAPIServer(t)
		for _, e := range endpointsOf(k) {
			got, err := a.ask(soon(t), http.MethodGet, e.path)
			if err != nil {
				t.Errorf("%v: %v", e, err)
				continue
			}
			e.checkBody(t, got)
			head, err := a.ask(soon(t), http.MethodHead, e.path)
			if err != nil || head.status != e.status || head.body != "" ||
				head.header.Get("Content-Type") != got.header.Get("Content-Type") {
				t.Errorf("HEAD %s: %d %q, %v; GET has %d", e.path, head.status, head.body, err, got.status)
			}
			if e.status != http.StatusOK {
				continue
			}
			for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
				got, err := a.ask(soon(t), method, e.path)
				if err != nil || got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != "GET, HEAD" {
					t.Errorf("%s %s: %d, Allow: %q, %v", method, e.path, got.status, got.header.Get("Allow"), err)
				}
				isStatus(t, method+" "+e.path, got)
			}
		}
		n.body.check(t)
	})
}

// TestSummaryIsNeverZero: metrics-server and dashboards take 0 for "no data".
func TestSummaryIsNeverZero(t *testing.T) {
	onBodies(t, func(t *testing.T, k *kind) {
		n := readyNode(t, ourWorld(t), k, settings{})
		var summary struct {
			Node struct {
				NodeName string
				CPU      struct{ UsageCoreNanoSeconds uint64 }
				Memory   struct{ WorkingSetBytes, UsageBytes uint64 }
			}
		}
		text := n.asAPIServer(t).get(t, "/stats/summary")
		if err := json.Unmarshal([]byte(text), &summary); err != nil {
			t.Fatal(err)
		}
		s := summary.Node
		if s.NodeName != n.name || s.CPU.UsageCoreNanoSeconds == 0 || s.Memory.WorkingSetBytes == 0 {
			t.Errorf("%+v of %s", s, text)
		}
	})
}

// TestNodeTellsItsPort, and nothing of one that it has not.
func TestNodeTellsItsPort(t *testing.T) {
	onBodies(t, func(t *testing.T, k *kind) {
		n := readyNode(t, ourWorld(t), k, settings{})
		got, err := n.client.CoreV1().Nodes().Get(t.Context(), n.name, meta.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if port := got.Status.DaemonEndpoints.KubeletEndpoint.Port; port != 10250 {
			t.Errorf("port %d", port)
		}
		off := n.world.newNode(t, k, settings{NoPort: true})
		off.start(t)
		if got, err = n.client.CoreV1().Nodes().Get(t.Context(), off.name, meta.GetOptions{}); err != nil {
			t.Fatal(err)
		}
		if port := got.Status.DaemonEndpoints.KubeletEndpoint.Port; port != 0 {
			t.Errorf("without a port: %d", port)
		}
		if conn, err := n.lab.Dial("tcp4", off.address(t)); err == nil {
			conn.Close()
			t.Error("something listens")
		}
	})
}

// TestPortThatCannotOpen: what only the port is in want of keeps no board out
// of the cluster. It says that it has no port, and at its console why; the
// rest goes on.
func TestPortThatCannotOpen(t *testing.T) {
	onBodies(t, func(t *testing.T, k *kind) {
		n := ourWorld(t).newNode(t, k, settings{LeaseSeconds: quickLease, BrokenClientCA: true})
		c, ok := n.body.(*circuit)
		if !ok {
			t.Skip("a process ends, and whoever started it sees why")
		}
		n.settings.ConfigMaps = configNamespace + "/" + n.name
		n.allowConfigMap(t)
		n.create(t, map[string]string{"log-level": "debug"})
		n.start(t)
		n.tellsPort(t, 0)
		if conn, err := n.lab.Dial("tcp4", n.address(t)); err == nil {
			conn.Close()
			t.Error("something listens")
		}
		eventually(t, "a status that says so, and a ConfigMap applied", func(ctx context.Context) error {
			s, err := c.board.Status(ctx)
			if err == nil && (s["port"] != "0" || s["led"] != "warning" || s["config-map-state"] != "applied" ||
				!strings.Contains(s["port-closed"], "client-ca: no certificate could be read")) {
				err = fmt.Errorf("%q", s)
			}
			return err
		})
		for _, command := range []string{"unset client-ca", "save", "reboot"} {
			if _, err := c.board.Command(soon(t), command); err != nil {
				t.Fatal(command, ": ", err)
			}
		}
		n.tellsPort(t, 10250)
		if s, err := c.board.Status(soon(t)); err != nil || s["port-closed"] != "" {
			t.Errorf("%q, %v", s, err)
		}
	})
}

// tellsPort waits until the Node names that one; zero: none.
func (n *node) tellsPort(t *testing.T, port int32) {
	t.Helper()
	eventually(t, fmt.Sprintf("port %d", port), func(ctx context.Context) error {
		got, err := n.client.CoreV1().Nodes().Get(ctx, n.name, meta.GetOptions{})
		if err == nil && got.Status.DaemonEndpoints.KubeletEndpoint.Port != port {
			err = fmt.Errorf("%+v", got.Status.DaemonEndpoints)
		}
		return err
	})
}

// TestSelfSigned: until a certificate is issued the node makes one of its own,
// for its name and address. The API server takes it.
func TestSelfSigned(t *testing.T) {
	onBodies(t, func(t *testing.T, k *kind) {
		w := ourWorld(t)
		n := readyNode(t, w, k, settings{SelfSigned: true})
		text, err := w.KubectlContext(soon(t), "", "get", "--raw", "/api/v1/nodes/"+n.name+"/proxy/metrics/resource")
		if err != nil || !strings.Contains(text, "node_memory_working_set_bytes") {
			t.Errorf("%.200q, %v", text, err)
		}
		address := n.address(t)
		raw, err := n.lab.Dial("tcp4", address)
		if err != nil {
			t.Fatal(err)
		}
		conn := tls.Client(raw, n.tls(nil))
		defer conn.Close()
		if err := conn.HandshakeContext(soon(t)); err != nil {
			t.Fatal(err)
		}
		host, _, _ := strings.Cut(address, ":")
		certificate := conn.ConnectionState().PeerCertificates[0]
		now := time.Now()
		for _, name := range []string{n.name, host} {
			if err := certificate.VerifyHostname(name); err != nil {
				t.Error(err)
			}
		}
		if now.Before(certificate.NotBefore) || now.After(certificate.NotAfter) {
			t.Errorf("valid from %v to %v", certificate.NotBefore, certificate.NotAfter)
		}
		t.Logf("%v, %v, %v, %v to %v", certificate.Subject, certificate.DNSNames, certificate.IPAddresses,
			certificate.NotBefore, certificate.NotAfter)
	})
}

// TestAPIServerVerifiesTheNode where it is told to: by the cluster's CA and the
// node's address. One that signed its own certificate is refused then.
func TestAPIServerVerifiesTheNode(t *testing.T) {
	onBodies(t, func(t *testing.T, k *kind) {
		if !k.knowsAddress {
			t.Skip("its address comes from DHCP after its certificate was made")
		}
		w := secondCluster(t, cluster.Options{VerifyKubelets: true})
		for _, self := range []bool{false, true} {
			n := readyNode(t, w, k, settings{SelfSigned: self})
			text, err := w.KubectlContext(soon(t), "", "get", "--raw", "/api/v1/nodes/"+n.name+"/proxy/healthz")
			if self && (err == nil || !strings.Contains(err.Error(), "x509")) || !self && (err != nil || text != "ok") {
				t.Errorf("self-signed: %v: %q, %v", self, text, err)
			}
		}
	})
}

// TestLastAnswerIsWhole: one that ends its connection is not cut off by that,
// however long it is.
func TestLastAnswerIsWhole(t *testing.T) {
	onBodies(t, func(t *testing.T, k *kind) {
		n := readyNode(t, ourWorld(t), k, settings{})
		a := n.asAPIServer(t)
		a.http.Transport.(*http.Transport).DisableKeepAlives = true
		for range long(5, 50) {
			for _, e := range endpointsOf(k) {
				got, err := a.ask(soon(t), http.MethodGet, e.path)
				if err != nil {
					t.Errorf("%v, and close: %d, %d bytes, %v", e, got.status, len(got.body), err)
					continue
				}
				e.checkBody(t, got)
			}
		}
		n.body.check(t)
	})
}
