package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// kubelet is a node's port that says who asks.
func kubelet(t *testing.T, ca *CA) (address string) {
	t.Helper()
	pair, err := ca.Issue(CertRequest{CommonName: "kubelet", IPs: []net.IP{net.IPv4(10, 99, 0, 250)}, Server: true})
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AddCert(ca.Cert)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{pair.Cert.Raw}, PrivateKey: pair.Key}},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: clients,
	})
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Method+" "+r.URL.Path+" by "+r.TLS.PeerCertificates[0].Subject.CommonName)
	})}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return listener.Addr().String()
}

// reachesNodes: the API server calls a kubelet where its Node says that it is,
// although this machine has no such address.
func reachesNodes(t *testing.T, c *Cluster) {
	t.Helper()
	const node = `{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "%s"}, "status": {` +
		`"addresses": [{"type": "InternalIP", "address": "10.99.0.250"}],` +
		`"daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}}}}`
	if _, err := c.kubectlApply(fmt.Sprintf(node, "rack-2")); err != nil {
		t.Fatal(err)
	}
	ask := func() (string, error) { return c.Kubectl("get", "--raw", "/api/v1/nodes/rack-2/proxy/metrics") }
	if answer, err := ask(); err == nil || !strings.Contains(err.Error(), "no route to 10.99.0.250:10250") {
		t.Errorf("without a route: %q, %v", answer, err)
	}
	if err := c.Route("10.99.0.250:10250", kubelet(t, c.CA())); err != nil {
		t.Fatal(err)
	}
	if answer, err := ask(); err != nil || answer != "GET /metrics by "+KubeletClientUser {
		t.Errorf("%q, %v", answer, err)
	}
	for _, verb := range []string{"get", "create"} {
		for _, part := range []string{"proxy", "metrics", "stats", "log", "healthz", "pods", "configz"} {
			answer, err := c.Kubectl("auth", "can-i", "--as="+KubeletClientUser, verb, "nodes", "--subresource="+part)
			if err != nil || !strings.HasPrefix(answer, "yes") {
				t.Errorf("may the API server %s nodes/%s? %q, %v", verb, part, answer, err)
			}
		}
	}
}
