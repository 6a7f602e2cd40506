package node

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"femtokubelet.dev/e2e/cluster"
)

// peer is a server that a node must not trust, or cannot talk to.
type peer struct {
	name string
	make func(t *testing.T, s *stage) func(net.Conn)
	// logs are texts of the lines that must appear.
	logs []string
	// most bytes that the node may send on a connection; 0: no bound.
	most int64
	// dated: only who knows the time can tell.
	dated bool
}

// helloOnly is more than a ClientHello and an alert, and far less than a
// request with a client certificate.
const helloOnly = 600

var peers = []peer{
	{"WrongCA", withOtherCA, []string{"API server's certificate refused", "issued by a CA that is not in"}, helloOnly, false},
	{"SelfSigned", selfSigned, []string{"API server's certificate refused: it is self-signed"}, helloOnly, false},
	{"CertificateExpired", withCertificate(func(r *cluster.CertRequest) {
		r.NotBefore, r.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-time.Hour)
	}), []string{"certificate refused: it has expired"}, helloOnly, true},
	{"CertificateNotYetValid", withCertificate(func(r *cluster.CertRequest) {
		r.NotBefore = time.Now().Add(time.Hour)
	}), []string{"certificate refused: it is not valid yet"}, helloOnly, true},
	{"CertificateForOthers", withCertificate(func(r *cluster.CertRequest) {
		r.IPs, r.DNSNames = []net.IP{net.IPv4(192, 0, 2, 1).To4()}, []string{"other.example.com"}
	}), []string{"certificate refused: it is for other names", "192.0.2.1", "other.example.com"}, helloOnly, false},
	{"CertificateOfAClient", withCertificate(func(r *cluster.CertRequest) {
		r.Server, r.Client = false, true
	}), []string{"its key usage does not allow a TLS server"}, helloOnly, false},
	{"CertificateTooLarge", withCertificate(func(r *cluster.CertRequest) {
		for i := range 400 {
			r.DNSNames = append(r.DNSNames, fmt.Sprintf("name-%d.example.com", i))
		}
	}), []string{"larger than FK_TLS_IN_MAX"}, helloOnly, false},
	{"HTTP1Only", withTLS(func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} }),
		[]string{"HTTP/2"}, 0, false},
	{"NoALPN", withTLS(func(c *tls.Config) { c.NextProtos = nil }),
		[]string{"HTTP/2"}, 0, false},
	{"OldTLSOnly", withTLS(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }),
		[]string{"the server speaks neither TLS 1.2 nor TLS 1.3"}, helloOnly, false},
	{"PlainHTTP", says("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"),
		[]string{"what answers there does not speak TLS: is it an https port?"}, helloOnly, false},
	{"ClosesAtOnce", says(""), []string{"connection to the API server"}, helloOnly, false},
	{"Garbage", says("\x00\xff\x13" + strings.Repeat("\xa5\x5a", 2000)),
		[]string{"does not speak TLS"}, helloOnly, false},
	{"GarbageLikeTLS", says("\x16\x03\x03\x00\x40\x02\x00\x00\x3c" + strings.Repeat("\xa5", 60)),
		[]string{"TLS handshake failed"}, helloOnly, false},
	{"RecordTooLarge", says("\x16\x03\x03\x3f\xff" + strings.Repeat("\x02", 0x3fff)),
		[]string{"larger than FK_TLS_IN_MAX"}, helloOnly, false},
	{"NeverAnswers", func(*testing.T, *stage) func(net.Conn) {
		return func(c net.Conn) { io.Copy(io.Discard, c) }
	}, []string{"no answer in time"}, helloOnly, false},
	{"GarbageInTLS", insideTLS(strings.Repeat("\xa5", 3000)), []string{"connection to the API server"}, 0, false},
	{"HTTP1InTLS", insideTLS("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
		[]string{"connection to the API server"}, 0, false},
	// A SETTINGS frame, then the header of a frame of 16 MB.
	{"HugeFrameInTLS", insideTLS("\x00\x00\x00\x04\x00\x00\x00\x00\x00" + "\xff\xff\xff\x00\x00\x00\x00\x00\x01"),
		[]string{"connection to the API server"}, 0, false},
}

func withOtherCA(t *testing.T, s *stage) func(net.Conn) {
	other, err := cluster.NewCA("somebody else", false)
	if err != nil {
		t.Fatal(err)
	}
	return handshake(t, s, &tls.Config{Certificates: []tls.Certificate{issue(t, other, usualCertificate())}})
}

func selfSigned(t *testing.T, s *stage) func(net.Conn) {
	other, err := cluster.NewCA("myself", false)
	if err != nil {
		t.Fatal(err)
	}
	return handshake(t, s, &tls.Config{Certificates: []tls.Certificate{{
		Certificate: [][]byte{other.Cert.Raw}, PrivateKey: other.Key}}})
}

func withCertificate(change func(*cluster.CertRequest)) func(*testing.T, *stage) func(net.Conn) {
	return func(t *testing.T, s *stage) func(net.Conn) {
		req := usualCertificate()
		change(&req)
		return handshake(t, s, &tls.Config{Certificates: []tls.Certificate{s.certificate(t, req)}})
	}
}

func withTLS(change func(*tls.Config)) func(*testing.T, *stage) func(net.Conn) {
	return func(t *testing.T, s *stage) func(net.Conn) {
		config := &tls.Config{Certificates: []tls.Certificate{s.certificate(t, usualCertificate())},
			NextProtos: []string{"h2"}}
		change(config)
		return func(c net.Conn) { io.Copy(io.Discard, tls.Server(c, config)) }
	}
}

// handshake fails the test if the node goes on behind it.
func handshake(t *testing.T, _ *stage, config *tls.Config) func(net.Conn) {
	config.NextProtos = []string{"h2"}
	config.ClientAuth = tls.RequestClientCert
	return func(c net.Conn) {
		server := tls.Server(c, config)
		if server.Handshake() == nil {
			t.Error("the node shook hands with a server that it must not trust")
		}
	}
}

func says(text string) func(*testing.T, *stage) func(net.Conn) {
	return func(*testing.T, *stage) func(net.Conn) {
		return func(c net.Conn) {
			if text == "" {
				return
			}
			// All that came is read: to close on unread bytes is to send RST,
			// which may overtake the text.
			io.WriteString(c, text)
			c.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, c)
		}
	}
}

// insideTLS is a server of the right name that says something odd.
func insideTLS(text string) func(*testing.T, *stage) func(net.Conn) {
	return func(t *testing.T, s *stage) func(net.Conn) {
		config := &tls.Config{Certificates: []tls.Certificate{s.certificate(t, usualCertificate())},
			NextProtos: []string{"h2"}}
		return func(c net.Conn) {
			server := tls.Server(c, config)
			io.WriteString(server, text)
			io.Copy(io.Discard, server)
		}
	}
}

// Every such server is named in the log, gets nothing of ours, is not
// hammered, and the node goes on once the right one is there.
func TestOddServers(t *testing.T) {
	t.Parallel()
	for _, p := range peers {
		t.Run(p.name, func(t *testing.T) {
			onBodies(t, 0, func(t *testing.T, b Body, name string) { meet(t, b, name, p) })
		})
	}
}

func meet(t *testing.T, b Body, name string, p peer) {
	s := newStage(t)
	before, from, then := 0, mark(0), []string{"lease claimed", "status reported"}
	if p.dated && !b.Kind().has(hasClock) {
		// It learns the time from the right server first.
		b.Start(t, s.node(t, name))
		b.Journal().wait(t, 0, "lease claimed")
		b.Journal().wait(t, 0, "status reported")
		before, from, then = len(s.proxy.Connections()), b.Journal().now(), []string{"lease renewed"}
	}
	s.set(p.make(t, s))
	began := time.Now()
	if before > 0 {
		s.proxy.ResetAll()
	} else {
		b.Start(t, s.node(t, name))
	}
	for _, text := range p.logs {
		b.Journal().wait(t, from, text)
	}
	const tries = 2
	until(t, patience, "it tries again", func() bool {
		return len(b.Journal().since(from, "connection to the API server")) >= tries
	})
	b.CheckHealth(t)
	for _, c := range s.proxy.Connections()[before:] {
		if p.most > 0 && c.ToServer.Bytes > p.most {
			t.Errorf("%d bytes to a server that is not the right one", c.ToServer.Bytes)
		}
	}
	// Doubled from 0.2 s: five tries take at least 0.2+0.4+0.8+1.6 s, less jitter.
	if n := len(s.proxy.Connections()) - before; n > 4 && time.Since(began) < 2*time.Second {
		t.Errorf("%d connections in %v", n, time.Since(began))
	}
	s.set(nil)
	for _, text := range then {
		b.Journal().wait(t, from, text)
	}
	b.CheckHealth(t)
}

// The log holds what is needed to recognize the certificate that was refused.
func TestRefusedCertificateIsDescribed(t *testing.T) {
	onBodies(t, 0, func(t *testing.T, b Body, name string) {
		s := newStage(t)
		other, err := cluster.NewCA("somebody else", false)
		if err != nil {
			t.Fatal(err)
		}
		cert := issue(t, other, usualCertificate())
		s.set(handshake(t, s, &tls.Config{Certificates: []tls.Certificate{cert}}))
		b.Start(t, s.node(t, name))
		e := b.Journal().wait(t, 0, "API server's certificate refused")
		parsed, err := x509.ParseCertificate(cert.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		digest := sha256.Sum256(parsed.Raw)
		for field, want := range map[string]string{
			"subject":     "CN=kube-apiserver",
			"issuer":      "CN=somebody else",
			"names":       "kubernetes, 127.0.0.1",
			"server_name": "127.0.0.1",
			"not_after":   parsed.NotAfter.UTC().Format(time.RFC3339),
			"sha256":      hex.EncodeToString(digest[:]),
		} {
			if got := e.field(field); got != want {
				t.Errorf("%s=%q, want %q", field, got, want)
			}
		}
		if e.Level != "ERROR" {
			t.Errorf("level %s", e.Level)
		}
	})
}
