package node

import (
	"bytes"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"

	"femtokubelet.dev/e2e/cluster"
	"femtokubelet.dev/e2e/wire"
)

// stage is one address at which different servers may play, one after another:
// odd ones, and an API server made of a few lines. All that a node sends there
// goes through a proxy, to be counted.
type stage struct {
	ca        *cluster.CA
	rsaClient bool // certificates of nodes have RSA keys
	proxy     *wire.Proxy
	good      chan net.Conn // to the little API server

	mu      sync.Mutex
	play    func(net.Conn)
	answer  answer
	asked   []asked
	renewed []time.Time // renewTime of each Lease that was written
}

// answer may take a request over; false leaves it to the usual answer.
type answer func(w http.ResponseWriter, r *http.Request) bool

// asked is one request that came.
type asked struct {
	at   time.Time
	what string // "PATCH /path"
}

func newStage(t *testing.T) *stage {
	t.Helper()
	return newStageWith(t, usualCertificate())
}

// newStageWith gives the little API server another certificate. With an RSA
// one, the CA is RSA, too.
func newStageWith(t *testing.T, certificate cluster.CertRequest) *stage {
	t.Helper()
	ca, err := cluster.NewCA("stage", certificate.RSA)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{ca: ca, good: make(chan net.Conn)}
	s.proxy = proxyTo(t, listener.Addr().String())
	t.Cleanup(func() { listener.Close() })
	go func() {
		defer close(s.good)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			play := s.play
			s.mu.Unlock()
			if play == nil {
				s.good <- conn
				continue
			}
			go func() {
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(patience))
				play(conn)
			}()
		}
	}()
	server := &http.Server{
		Handler:   http.HandlerFunc(s.serve),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{s.certificate(t, certificate)}},
		ErrorLog:  log.New(io.Discard, "", 0),
	}
	go server.ServeTLS(&channelListener{listener, s.good}, "", "")
	t.Cleanup(func() { server.Close() })
	return s
}

// channelListener makes a listener of connections that others accepted.
type channelListener struct {
	net.Listener // the one that accepted
	conns        <-chan net.Conn
}

func (l *channelListener) Accept() (net.Conn, error) {
	if conn, ok := <-l.conns; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}

// usualCertificate asks for what an API server has.
func usualCertificate() cluster.CertRequest {
	return cluster.CertRequest{
		CommonName: "kube-apiserver", DNSNames: []string{"kubernetes"},
		IPs: []net.IP{net.IPv4(127, 0, 0, 1).To4()}, Server: true,
	}
}

func (s *stage) certificate(t *testing.T, req cluster.CertRequest) tls.Certificate {
	t.Helper()
	return issue(t, s.ca, req)
}

func issue(t *testing.T, ca *cluster.CA, req cluster.CertRequest) tls.Certificate {
	t.Helper()
	pair, err := ca.Issue(req)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{pair.Cert.Raw}, PrivateKey: pair.Key}
}

// node gives the settings of a node that belongs here.
func (s *stage) node(t *testing.T, name string) settings {
	t.Helper()
	req := nodeCertificate(name)
	req.RSA = s.rsaClient
	pair, err := s.ca.Issue(req)
	if err != nil {
		t.Fatal(err)
	}
	text := cluster.FormatKubeconfig("https://"+s.proxy.Addr(), s.ca.CertPEM, "node", pair)
	return settings{Name: name, Kubeconfig: writeFile(t, "kubeconfig", string(text)),
		ServerName: "127.0.0.1", LeaseSeconds: 4}
}

func nodeCertificate(name string) cluster.CertRequest {
	return cluster.CertRequest{CommonName: "system:node:" + name, Organization: []string{"system:nodes"}, Client: true}
}

// set changes the play: an odd server; nil for the little API server.
func (s *stage) set(play func(net.Conn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.play = play
}

// setAnswer changes how the little API server answers; nil for the usual.
func (s *stage) setAnswer(a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = a
}

func (s *stage) requests() []asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]asked(nil), s.asked...)
}

func (s *stage) renewals() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]time.Time(nil), s.renewed...)
}

const leasePath = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"

func (s *stage) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, asked{time.Now(), r.Method + " " + r.URL.Path})
	a := s.answer
	s.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.note(r, body)
	if a != nil && a(w, r) {
		return
	}
	code, reply := usualReply(r)
	write(w, code, reply)
}

// note keeps the renewTime of a Lease that is written.
func (s *stage) note(r *http.Request, body []byte) {
	const key = `"renewTime":"`
	_, rest, found := strings.Cut(string(body), key)
	text, _, _ := strings.Cut(rest, `"`)
	at, err := time.Parse(time.RFC3339Nano, text)
	if !found || err != nil || !strings.HasPrefix(r.URL.Path, leasePath) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.renewed = append(s.renewed, at)
}

// usualReply is what an API server would say that knows no Lease yet.
func usualReply(r *http.Request) (int, []byte) {
	name := "stage-node"
	switch {
	case strings.HasPrefix(r.URL.Path, "/api/v1/nodes"):
		return status(r), encode(&core.Node{
			TypeMeta:   meta.TypeMeta{Kind: "Node", APIVersion: "v1"},
			ObjectMeta: meta.ObjectMeta{Name: name, UID: types.UID("11111111-2222-3333-4444-555555555555")},
		})
	case r.Method == http.MethodGet:
		e := apierrors.NewNotFound(schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}, name)
		return http.StatusNotFound, encodeStatus(e)
	}
	return status(r), encode(&coordination.Lease{
		TypeMeta:   meta.TypeMeta{Kind: "Lease", APIVersion: "coordination.k8s.io/v1"},
		ObjectMeta: meta.ObjectMeta{Name: name},
	})
}

func status(r *http.Request) int {
	if r.Method == http.MethodPost {
		return http.StatusCreated
	}
	return http.StatusOK
}

const protobufType = "application/vnd.kubernetes.protobuf"

func write(w http.ResponseWriter, code int, body []byte) {
	w.Header().Set("Content-Type", protobufType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	w.Write(body)
}

func encode(object runtime.Object) []byte {
	var b bytes.Buffer
	if err := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme).Encode(object, &b); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func encodeStatus(e *apierrors.StatusError) []byte {
	s := e.Status()
	s.TypeMeta = meta.TypeMeta{Kind: "Status", APIVersion: "v1"}
	return encode(&s)
}
