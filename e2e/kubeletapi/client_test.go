package kubeletapi

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	authentication "k8s.io/api/authentication/v1"
	core "k8s.io/api/core/v1"
	rbac "k8s.io/api/rbac/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"femtokubelet.dev/e2e/cluster"
)

// apiServerUser is whom the API server says that it is.
const apiServerUser = cluster.KubeletClientUser

// requestTimeout is above all the deadlines of the port.
const requestTimeout = 30 * time.Second

// asker is somebody inside the lab who asks a node's port.
type asker struct {
	http  *http.Client
	base  string
	token string
}

// asker of a node, with a certificate or a token or neither. It keeps one
// connection.
func (n *node) asker(t *testing.T, certificate *tls.Certificate, token string) *asker {
	t.Helper()
	address := n.address(t)
	transport := &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return n.lab.Dial("tcp4", address)
		},
		TLSClientConfig: n.tls(certificate),
		MaxConnsPerHost: 1,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &asker{http: &http.Client{Transport: transport, Timeout: requestTimeout}, base: "https://" + address, token: token}
}

// asAPIServer is what the API server would be.
func (n *node) asAPIServer(t *testing.T) *asker {
	t.Helper()
	pair, err := n.KubeletClient()
	if err != nil {
		t.Fatal(err)
	}
	return n.asker(t, &pair, "")
}

// hangUp ends the connection.
func (a *asker) hangUp() { a.http.CloseIdleConnections() }

type reply struct {
	status int
	header http.Header
	body   string
}

func (a *asker) ask(ctx context.Context, method, path string) (reply, error) {
	request, err := http.NewRequestWithContext(ctx, method, a.base+path, nil)
	if err != nil {
		return reply{}, err
	}
	if a.token != "" {
		request.Header.Set("Authorization", "Bearer "+a.token)
	}
	response, err := a.http.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header, string(body)}, err
}

// get fails the test unless the answer is 200.
func (a *asker) get(t *testing.T, path string) string {
	t.Helper()
	got, err := a.ask(soon(t), http.MethodGet, path)
	if err != nil || got.status != http.StatusOK {
		t.Fatalf("%s: %d %.300s, %v", path, got.status, got.body, err)
	}
	return got.body
}

// answersWith is for eventually.
func answersWith(a *asker, status int) func(context.Context) error {
	return func(ctx context.Context) error {
		got, err := a.ask(ctx, http.MethodGet, "/femto/status")
		if err == nil && got.status != status {
			err = fmt.Errorf("%d %.200s", got.status, got.body)
		}
		return err
	}
}

// isStatus fails unless a body is what Kubernetes' clients expect of an error.
func isStatus(t *testing.T, what string, got reply) {
	t.Helper()
	var status meta.Status
	if err := json.Unmarshal([]byte(got.body), &status); err != nil || status.Kind != "Status" ||
		status.APIVersion != "v1" || int(status.Code) != got.status || status.Status != meta.StatusFailure ||
		status.Message == "" || status.Reason == "" {
		t.Errorf("%s: no Status: %d %q, %v", what, got.status, got.body, err)
	}
}

const accounts = "default" // namespace of service accounts

// account makes a service account that may do as the rules say, and is gone at
// the test's end.
func (w *world) account(t *testing.T, name string, rules ...rbac.PolicyRule) {
	t.Helper()
	ctx := context.Background()
	_, err := w.client.CoreV1().ServiceAccounts(accounts).Create(ctx,
		&core.ServiceAccount{ObjectMeta: meta.ObjectMeta{Name: name}}, meta.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.client.CoreV1().ServiceAccounts(accounts).Delete(ctx, name, meta.DeleteOptions{})
		w.client.RbacV1().ClusterRoleBindings().Delete(ctx, name, meta.DeleteOptions{})
		w.client.RbacV1().ClusterRoles().Delete(ctx, name, meta.DeleteOptions{})
	})
	if len(rules) == 0 {
		return
	}
	_, err = w.client.RbacV1().ClusterRoles().Create(ctx,
		&rbac.ClusterRole{ObjectMeta: meta.ObjectMeta{Name: name}, Rules: rules}, meta.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.client.RbacV1().ClusterRoleBindings().Create(ctx, &rbac.ClusterRoleBinding{
		ObjectMeta: meta.ObjectMeta{Name: name},
		RoleRef:    rbac.RoleRef{APIGroup: rbac.GroupName, Kind: "ClusterRole", Name: name},
		Subjects:   []rbac.Subject{{Kind: rbac.ServiceAccountKind, Name: name, Namespace: accounts}},
	}, meta.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// nodesRule lets one read subresources of nodes.
func nodesRule(subresources ...string) rbac.PolicyRule {
	rule := rbac.PolicyRule{Verbs: []string{"get"}, APIGroups: []string{""}}
	for _, s := range subresources {
		rule.Resources = append(rule.Resources, "nodes/"+s)
	}
	return rule
}

// tokenOf asks the API server for a token of a service account.
func (w *world) tokenOf(t *testing.T, name string) string {
	t.Helper()
	seconds := int64(3600)
	got, err := w.client.CoreV1().ServiceAccounts(accounts).CreateToken(soon(t), name,
		&authentication.TokenRequest{Spec: authentication.TokenRequestSpec{ExpirationSeconds: &seconds}}, meta.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return got.Status.Token
}

// expired is the same token, after its end.
func (w *world) expired(t *testing.T, token string) string {
	t.Helper()
	token, err := w.ForgeToken(token, func(claims map[string]any) {
		now := time.Now()
		claims["iat"], claims["nbf"] = now.Add(-2*time.Hour).Unix(), now.Add(-2*time.Hour).Unix()
		claims["exp"] = now.Add(-time.Hour).Unix()
	})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// endpoint is what a node's port can be asked for with GET.
type endpoint struct {
	path        string
	subresource string // of nodes, that is asked for first
	status      int    // for those who may
	content     string // type, the beginning
	holds       string // a piece of the body
}

// endpoints are those of src/kubelet/routes.c.
var endpoints = []endpoint{
	{"/healthz", "healthz", 200, "text/plain", "ok"},
	{"/healthz?verbose", "healthz", 200, "text/plain", "lease"},
	{"/livez", "healthz", 200, "text/plain", "ok"},
	{"/readyz", "healthz", 200, "text/plain", "ok"},
	{"/readyz?verbose=1", "healthz", 200, "text/plain", "lease"},
	{"/metrics", "metrics", 200, "text/plain; version=0.0.4", "femtokubelet_lease_renewals_total"},
	{"/metrics/resource", "metrics", 200, "text/plain; version=0.0.4", "node_memory_working_set_bytes"},
	{"/metrics/cadvisor", "metrics", 200, "text/plain; version=0.0.4", ""},
	{"/metrics/probes", "metrics", 200, "text/plain; version=0.0.4", ""},
	{"/stats/summary", "stats", 200, "application/json", `"nodeName"`},
	{"/pods", "pods", 200, "application/json", `"PodList"`},
	{"/runningpods/", "pods", 200, "application/json", `"PodList"`},
	{"/spec", "proxy", 200, "application/json", `"num_cores"`},
	{"/configz", "configz", 200, "application/json", `"kubeletconfig"`},
	{"/logs/", "log", 200, "text/html", "femtokubelet.log"},
	{"/logs/femtokubelet.log", "log", 200, "text/plain", "TLS"},
	{"/logs/syslog", "log", 404, "application/json", "Status"},
	{"/femto/status", "proxy", 200, "application/json", "{"},
	{"/femto/memory", "proxy", 200, "", ""},
	{"/femto/gpio", "proxy", 200, "application/json", ""},
	{"/femto/led", "proxy", 200, "application/json", ""},
	{"/containerLogs/default/none/main", "proxy", 404, "application/json", "Status"},
	{"/exec/default/none/main", "proxy", 501, "application/json", "Status"},
	{"/attach/default/none/main", "proxy", 501, "application/json", "Status"},
	{"/portForward/default/none", "proxy", 501, "application/json", "Status"},
	{"/run/default/none/main", "proxy", 501, "application/json", "Status"},
	{"/nothing", "proxy", 404, "application/json", "Status"},
}

// checkBody fails unless an answer is the endpoint's.
func (e *endpoint) checkBody(t *testing.T, got reply) {
	t.Helper()
	if got.status != e.status || !strings.HasPrefix(got.header.Get("Content-Type"), e.content) || !strings.Contains(got.body, e.holds) {
		t.Errorf("%s: %d %s %.200q; want %d %s with %q", e.path, got.status, got.header.Get("Content-Type"), got.body,
			e.status, e.content, e.holds)
	}
	if got.status == http.StatusOK && strings.HasPrefix(e.content, "application/json") && !json.Valid([]byte(got.body)) {
		t.Errorf("%s: no JSON: %s", e.path, got.body)
	}
	if got.status >= 400 {
		isStatus(t, e.path, got)
	}
}

// of says what a kind of body answers.
func (e endpoint) of(k *kind) endpoint {
	if k.lacks[e.path] {
		e.status, e.content, e.holds = http.StatusNotFound, "application/json", "Status"
	}
	return e
}

// endpointsOf a kind of body.
func endpointsOf(k *kind) (list []endpoint) {
	for _, e := range endpoints {
		list = append(list, e.of(k))
	}
	return list
}

func (e endpoint) String() string { return fmt.Sprintf("GET %s", e.path) }
