package kubeletapi

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The port's patience, src/opts.h; and what a busy machine adds.
const (
	handshakeLimit = 10 * time.Second
	requestLimit   = 10 * time.Second
	idleLimit      = 120 * time.Second
	tolerance      = 5 * time.Second
)

// TestPatienceEnds: whoever is slow is told, where there is a way, and hung up on.
func TestPatienceEnds(t *testing.T) {
	onBodies(t, func(t *testing.T, k *kind) {
		n := readyNode(t, ourWorld(t), k, settings{OpenHealth: true})
		n.where = n.address(t)
		for _, row := range []struct {
			name, sent string // nothing sent: not even a handshake
			limit      time.Duration
			want       string
		}{
			{"no handshake", "", handshakeLimit, ""},
			{"half a head", "GET /healthz HTTP/1.1\r\nHost: a\r\nX: ", requestLimit, "HTTP/1.1 408 "},
			{"half a body", "POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe", requestLimit, "HTTP/1.1 40"},
			{"nothing more", "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", idleLimit, "HTTP/1.1 200 "},
		} {
			if row.limit > time.Minute && !full {
				continue
			}
			t.Run(strings.ReplaceAll(row.name, " ", "-"), func(t *testing.T) {
				raw, err := n.lab.Dial("tcp4", n.where)
				if err != nil {
					t.Fatal(err)
				}
				defer raw.Close()
				var conn net.Conn = raw
				if row.sent != "" {
					conn = tls.Client(raw, n.tls(nil))
					if err := conn.(*tls.Conn).HandshakeContext(soon(t)); err != nil {
						t.Fatal(err)
					}
				}
				began := time.Now()
				io.WriteString(conn, row.sent)
				conn.SetReadDeadline(began.Add(row.limit + tolerance))
				answer, err := io.ReadAll(conn)
				var late net.Error
				took := time.Since(began)
				if errors.As(err, &late) && late.Timeout() || took < row.limit-tolerance && row.name != "half a body" {
					t.Errorf("over after %v, %v", took, err)
				}
				if !strings.HasPrefix(string(answer), row.want) {
					t.Errorf("%q, want %q", answer, row.want)
				}
				t.Logf("over after %v: %.20q, %v", rounded(took), answer, err)
			})
		}
		n.body.check(t)
	})
}

// TestManyAtOnce: as many requests by the API server as the port has surely
// places for are all answered. With more than that, some are refused, and none
// harms the node.
func TestManyAtOnce(t *testing.T) {
	onBodies(t, func(t *testing.T, k *kind) {
		n := readyNode(t, ourWorld(t), k, settings{LeaseSeconds: quickLease})
		began := time.Now()
		n.askTogether(t, k.atOnce, func(err error) { t.Error(err) })
		var refused atomic.Int32
		answered := n.askTogether(t, crowd, func(error) { refused.Add(1) })
		eventually(t, "others are served afterwards", answersWith(n.asAPIServer(t), http.StatusOK))
		gap, _ := n.leases.gap(began)
		t.Logf("%d clients: %d answers, %d refused; the longest gap between renewals: %v",
			crowd, answered, refused.Load(), rounded(gap))
		if gap > longestGap {
			t.Errorf("the longest gap was %v", gap)
		}
		n.body.check(t)
	})
}

// askTogether by way of the API server.
func (n *node) askTogether(t *testing.T, clients int, failed func(error)) (answered int32) {
	t.Helper()
	var count atomic.Int32
	var work sync.WaitGroup
	for i := range clients {
		work.Go(func() {
			for range long(5, 50) {
				path := []string{"/metrics", "/femto/status", "/stats/summary", "/healthz"}[i%4]
				_, err := n.client.CoreV1().RESTClient().Get().AbsPath("/api/v1/nodes", n.name, "proxy", path).DoRaw(soon(t))
				if err != nil {
					failed(fmt.Errorf("%s: %w", path, err))
					continue
				}
				count.Add(1)
			}
		})
	}
	work.Wait()
	return count.Load()
}

// TestVersionsOfTLS: 1.3 always, 1.2 at most where it is built in, nothing older.
func TestVersionsOfTLS(t *testing.T) {
	onBodies(t, func(t *testing.T, k *kind) {
		n := readyNode(t, ourWorld(t), k, settings{})
		address := n.address(t)
		outcomes := ""
		for version := uint16(tls.VersionTLS10); version <= tls.VersionTLS13; version++ {
			raw, err := n.lab.Dial("tcp4", address)
			if err != nil {
				t.Fatal(err)
			}
			config := n.tls(nil)
			config.MinVersion, config.MaxVersion = version, version
			err = tls.Client(raw, config).HandshakeContext(soon(t))
			raw.Close()
			if version < tls.VersionTLS12 && err == nil || version == tls.VersionTLS13 && err != nil {
				t.Errorf("%s: %v", tls.VersionName(version), err)
			}
			outcomes += fmt.Sprintf("%s: %v; ", tls.VersionName(version), err)
		}
		t.Log(outcomes)
	})
}
