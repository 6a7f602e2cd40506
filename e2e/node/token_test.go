package node

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"femtokubelet.dev/e2e/cluster"
)

// A bearer token ends while the node runs; somebody renews it in its file. API
// servers look at each request's token, and the connection lives for days.
func TestTokenIsRenewed(t *testing.T) {
	onBodies(t, hasTokens, func(t *testing.T, b Body, name string) {
		s := newStage(t)
		var valid, refused atomic.Int32
		s.setAnswer(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Authorization") == fmt.Sprintf("Bearer secret-%d", valid.Load()) {
				return false
			}
			refused.Add(1)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		})
		config := cluster.FormatTokenKubeconfig("https://"+s.proxy.Addr(), s.ca.CertPEM, "node", "x")
		kubeconfig := writeFile(t, "kubeconfig", strings.Replace(string(config), `token: "x"`, "tokenFile: token", 1))
		file := filepath.Join(filepath.Dir(kubeconfig), "token")
		renew := func(n int) {
			if err := os.WriteFile(file, fmt.Appendf(nil, "secret-%d\n", n), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		renew(0)
		b.Start(t, settings{Name: name, Kubeconfig: kubeconfig, LeaseSeconds: 4})
		b.Journal().wait(t, 0, "lease claimed")

		// Renewed after the node was refused, and before.
		for n := 1; n <= 2; n++ {
			from := b.Journal().now()
			if n == 2 {
				renew(n)
			}
			valid.Store(int32(n))
			b.Journal().wait(t, from, `"status":401`)
			renew(n)
			b.Journal().wait(t, from, "the token has changed")
			b.Journal().wait(t, b.Journal().now(), "lease renewed")
		}
		if n := refused.Load(); n > 8 {
			t.Errorf("%d requests were refused", n)
		}
		if n := s.proxy.Counts().Connections; n != 1 {
			t.Errorf("%d connections", n)
		}
		if leaks := b.Journal().since(0, "secret-"); len(leaks) > 0 {
			t.Error("a token in the log: ", leaks[0].Text)
		}
		b.CheckHealth(t)
	})
}
