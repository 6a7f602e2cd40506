package kubeletapi

import (
	"crypto/tls"
	"net/http"
	"testing"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"femtokubelet.dev/e2e/cluster"
)

// remember is how long the nodes of these tests remember an answer.
const remember = 2 * time.Second

// ok stands for what an endpoint answers to those who may.
const ok = 0

// who asks, and what the answer is, by the subresource of nodes that the
// endpoint belongs to. Where a finer one is denied, nodes/proxy is asked for.
var matrix = []struct {
	who string
	may map[string]int
}{
	{"nobody", all(401)},
	{"a certificate of another CA", all(401)},
	{"a certificate of the cluster's CA that is not a client's", all(401)},
	{"the node's own certificate", all(403)},
	{"the API server", all(ok)},
	{"a token for nothing", all(403)},
	{"a token for nodes/metrics", map[string]int{"metrics": ok, "healthz": 403, "stats": 403, "pods": 403, "configz": 403, "log": 403, "proxy": 403}},
	{"a token for nodes/stats", map[string]int{"metrics": 403, "healthz": 403, "stats": ok, "pods": 403, "configz": 403, "log": 403, "proxy": 403}},
	{"a token for nodes/pods", map[string]int{"metrics": 403, "healthz": 403, "stats": 403, "pods": ok, "configz": 403, "log": 403, "proxy": 403}},
	{"a token for nodes/healthz and nodes/configz", map[string]int{"metrics": 403, "healthz": ok, "stats": 403, "pods": 403, "configz": ok, "log": 403, "proxy": 403}},
	{"a token for nodes/log", map[string]int{"metrics": 403, "healthz": 403, "stats": 403, "pods": 403, "configz": 403, "log": ok, "proxy": 403}},
	{"a token for nodes/proxy", map[string]int{"metrics": 403, "healthz": ok, "stats": 403, "pods": ok, "configz": ok, "log": 403, "proxy": ok}},
	{"an expired token", all(401)},
	{"a token of another cluster", all(401)},
	{"no token at all", all(401)},
	{"a token revoked after it was remembered", all(401)},
}

func all(status int) map[string]int {
	return map[string]int{"metrics": status, "healthz": status, "stats": status, "pods": status,
		"configz": status, "log": status, "proxy": status}
}

// identities makes those who ask.
func identities(t *testing.T, n *node) map[string]*asker {
	t.Helper()
	certificate := func(ca *cluster.CA, req cluster.CertRequest) *tls.Certificate {
		t.Helper()
		pair, err := ca.Issue(req)
		if err != nil {
			t.Fatal(err)
		}
		return &tls.Certificate{Certificate: [][]byte{pair.Cert.Raw}, PrivateKey: pair.Key}
	}
	stranger, err := cluster.NewCA("stranger", false)
	if err != nil {
		t.Fatal(err)
	}
	token := func(suffix string, subresources ...string) *asker {
		t.Helper()
		name := n.name + "-" + suffix
		if len(subresources) == 0 {
			n.account(t, name)
		} else {
			n.account(t, name, nodesRule(subresources...))
		}
		return n.asker(t, nil, n.tokenOf(t, name))
	}
	list := map[string]*asker{
		"nobody": n.asker(t, nil, ""),
		"a certificate of another CA": n.asker(t, certificate(stranger,
			cluster.CertRequest{CommonName: apiServerUser, Organization: []string{"system:masters"}, Client: true}), ""),
		"a certificate of the cluster's CA that is not a client's": n.asker(t, certificate(n.CA(),
			cluster.CertRequest{CommonName: apiServerUser, Organization: []string{"system:masters"}, Server: true}), ""),
		"the node's own certificate":                  n.asker(t, &tls.Certificate{Certificate: [][]byte{n.pair.Cert.Raw}, PrivateKey: n.pair.Key}, ""),
		"the API server":                              n.asAPIServer(t),
		"a token for nothing":                         token("nothing"),
		"a token for nodes/metrics":                   token("metrics", "metrics"),
		"a token for nodes/stats":                     token("stats", "stats"),
		"a token for nodes/pods":                      token("pods", "pods"),
		"a token for nodes/healthz and nodes/configz": token("fine", "healthz", "configz"),
		"a token for nodes/log":                       token("log", "log"),
		"a token for nodes/proxy":                     token("proxy", "proxy"),
		"a token revoked after it was remembered":     token("revoked", "metrics", "stats", "pods", "healthz", "configz", "log", "proxy"),
		"no token at all":                             n.asker(t, nil, "eyJhbGciOiJub25lIn0.e30."),
	}
	list["an expired token"] = n.asker(t, nil, n.expired(t, list["a token for nodes/proxy"].token))
	other, err := n.ForgeToken(list["a token for nodes/proxy"].token, func(claims map[string]any) {
		claims["iss"] = "https://kubernetes.another.example"
	})
	if err != nil {
		t.Fatal(err)
	}
	list["a token of another cluster"] = n.asker(t, nil, other)
	return list
}

// TestWhoMayAskWhat is the whole matrix.
func TestWhoMayAskWhat(t *testing.T) {
	onBodies(t, func(t *testing.T, k *kind) {
		n := readyNode(t, ourWorld(t), k, settings{Remember: remember})
		askers := identities(t, n)
		revoke(t, n, askers["a token revoked after it was remembered"])
		cells := 0
		for _, row := range matrix {
			a := askers[row.who]
			for _, e := range endpointsOf(k) {
				for _, method := range []string{http.MethodGet, http.MethodHead} {
					want := row.may[e.subresource]
					if want == ok {
						want = e.status
					}
					got, err := a.ask(soon(t), method, e.path)
					if err != nil || got.status != want {
						t.Errorf("%s: %s %s: %d, %v; want %d; %.200s", row.who, method, e.path, got.status, err, want, got.body)
					} else if method == http.MethodGet && want >= 400 {
						isStatus(t, row.who+": "+e.path, got)
					}
					cells++
				}
			}
			a.hangUp()
		}
		t.Logf("%d cells", cells)
		n.body.check(t)
	})
}

// revoke takes an account away, and waits until the node has noticed. As long
// as it remembers, the token is good.
func revoke(t *testing.T, n *node, a *asker) {
	t.Helper()
	a.get(t, "/metrics")
	name := n.name + "-revoked"
	if err := n.client.CoreV1().ServiceAccounts(accounts).Delete(soon(t), name, meta.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for {
		got, err := a.ask(soon(t), http.MethodGet, "/metrics")
		if err != nil || got.status != http.StatusOK && got.status != http.StatusUnauthorized {
			t.Fatalf("the revoked token: %d, %v", got.status, err)
		}
		if got.status == http.StatusUnauthorized {
			break
		}
		// The API server itself believes a token for ten seconds more.
		if time.Since(began) > remember+15*time.Second {
			t.Fatalf("the revoked token is believed after %v", time.Since(began))
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Logf("the revoked token was refused after %v", rounded(time.Since(began)))
}

// TestVerbsOfMethods: who may read may not write, whatever the path.
func TestVerbsOfMethods(t *testing.T) {
	onBodies(t, func(t *testing.T, k *kind) {
		n := readyNode(t, ourWorld(t), k, settings{Remember: remember})
		n.account(t, n.name, nodesRule("proxy", "metrics"))
		a := n.asker(t, nil, n.tokenOf(t, n.name))
		for _, row := range []struct {
			method, path string
			want         int
		}{
			{"GET", "/metrics", 200}, {"HEAD", "/metrics", 200}, {"POST", "/metrics", 403}, {"PUT", "/metrics", 403},
			{"PATCH", "/metrics", 403}, {"DELETE", "/metrics", 403}, {"GET", "/exec/a/b/c", 501}, {"POST", "/exec/a/b/c", 403},
			{"POST", "/nothing", 403}, {"GET", "/nothing", 404},
		} {
			got, err := a.ask(soon(t), row.method, row.path)
			if err != nil || got.status != row.want {
				t.Errorf("%s %s: %d, %v; want %d", row.method, row.path, got.status, err, row.want)
			}
		}
	})
}

// TestHealthIsOpenOnlyIfTheOperatorSaysSo.
func TestHealthIsOpenOnlyIfTheOperatorSaysSo(t *testing.T) {
	onBodies(t, func(t *testing.T, k *kind) {
		n := readyNode(t, ourWorld(t), k, settings{OpenHealth: true})
		nobody := n.asker(t, nil, "")
		for _, e := range endpointsOf(k) {
			want := http.StatusUnauthorized
			if e.subresource == "healthz" {
				want = e.status
			}
			if got, err := nobody.ask(soon(t), http.MethodGet, e.path); err != nil || got.status != want {
				t.Errorf("nobody: %s: %d, %v; want %d", e.path, got.status, err, want)
			}
		}
	})
}

// TestNobodyIsAllowedWhoCannotBeAskedAbout: without an API server what is
// remembered counts, and the API server's own certificate; all else is 503.
func TestNobodyIsAllowedWhoCannotBeAskedAbout(t *testing.T) {
	onBodies(t, func(t *testing.T, k *kind) {
		n := readyNode(t, ourWorld(t), k, settings{})
		n.account(t, n.name, nodesRule("metrics"))
		token := n.tokenOf(t, n.name)
		known, unknown := n.asker(t, nil, token), n.asker(t, nil, token+"x")
		apiserver, own := n.asAPIServer(t), n.asker(t, &tls.Certificate{Certificate: [][]byte{n.pair.Cert.Raw}, PrivateKey: n.pair.Key}, "")
		known.get(t, "/metrics")
		apiserver.hangUp()
		if err := n.api.Refuse(true); err != nil {
			t.Fatal(err)
		}
		n.api.ResetAll()
		eventually(t, "it notices that the API server is away", answersWith(unknown, http.StatusServiceUnavailable))
		for _, row := range []struct {
			who  *asker
			path string
			want int
		}{
			{apiserver, "/metrics", 200}, {apiserver, "/femto/status", 200},
			{known, "/metrics", 200},
			{known, "/metrics/resource", 200}, // the same question
			{known, "/stats/summary", 503}, {unknown, "/metrics", 503}, {own, "/metrics", 503},
		} {
			got, err := row.who.ask(soon(t), http.MethodGet, row.path)
			if err != nil || got.status != row.want {
				t.Errorf("%s: %d, %v; want %d", row.path, got.status, err, row.want)
			}
			row.who.hangUp()
		}
		if err := n.api.Refuse(false); err != nil {
			t.Fatal(err)
		}
		n.ready(t)
		if got, err := unknown.ask(soon(t), http.MethodGet, "/metrics"); err != nil || got.status != 401 {
			t.Errorf("afterwards: %d, %v", got.status, err)
		}
	})
}

// TestAPIServerIsAskedAboutToo: nobody is always allowed unless the operator
// says who; then the API server is a user like any other, and may what its
// binding says.
func TestAPIServerIsAskedAboutToo(t *testing.T) {
	onBodies(t, func(t *testing.T, k *kind) {
		n := readyNode(t, ourWorld(t), k, settings{NoAPIServer: true})
		a := n.asAPIServer(t)
		for _, e := range endpointsOf(k) {
			got, err := a.ask(soon(t), http.MethodGet, e.path)
			if err != nil {
				t.Fatal(err)
			}
			e.checkBody(t, got)
		}
		if reviews, _ := series(a.get(t, "/metrics"), `femtokubelet_reviews_total{kind="access",event="asked"}`); reviews == 0 {
			t.Error("the API server was not asked")
		}
	})
}

// TestCertificatesNeedTheOperatorsCA: without one, certificates say nothing,
// the API server's included.
func TestCertificatesNeedTheOperatorsCA(t *testing.T) {
	onBodies(t, func(t *testing.T, k *kind) {
		n := readyNode(t, ourWorld(t), k, settings{WithoutClients: true})
		if got, err := n.asAPIServer(t).ask(soon(t), http.MethodGet, "/metrics"); err != nil || got.status != http.StatusUnauthorized {
			t.Errorf("%d, %v", got.status, err)
		}
		n.account(t, n.name, nodesRule("metrics"))
		n.asker(t, nil, n.tokenOf(t, n.name)).get(t, "/metrics")
	})
}
