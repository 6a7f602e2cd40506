package node

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"femtokubelet.dev/e2e/cluster"
)

// narrow makes the send buffer of each socket the smallest that there is.
const narrow = `
#define _GNU_SOURCE
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
int socket(int domain, int type, int protocol) {
    int one = 1, fd = (int)syscall(SYS_socket, domain, type, protocol);
    if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &one, sizeof one);
    return fd;
}
`

// blocked starts a node whose registration is larger than the network takes: a
// server shakes hands, reads its beginning and then nothing more. It returns
// the server's end of the connection.
func blocked(t *testing.T, p *process, name string) *net.TCPConn {
	t.Helper()
	small := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 1)
		})
	}}
	listener, err := small.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	s := newStage(t)
	pair, err := s.ca.Issue(nodeCertificate(name))
	if err != nil {
		t.Fatal(err)
	}
	config := cluster.FormatKubeconfig("https://"+listener.Addr().String(), s.ca.CertPEM, "node", pair)
	labels := map[string]string{} // 5 KB of them
	for i := range 16 {
		part := strings.Repeat("p", 60)
		key := fmt.Sprintf("%s.%s.%s.example/%s-%02d", part, part, part, part, i)
		labels[key] = strings.Repeat("v", 63)
	}
	p.Start(t, settings{Name: name, Kubeconfig: writeFile(t, "kubeconfig", string(config)), Labels: labels,
		Env: []string{"LD_PRELOAD=" + compileLibrary(t, narrow)}})

	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	server := tls.Server(conn, &tls.Config{
		Certificates: []tls.Certificate{s.certificate(t, usualCertificate())}, NextProtos: []string{"h2"}})
	io.WriteString(server, "\x00\x00\x00\x04\x00\x00\x00\x00\x00") // SETTINGS
	// More than preface, SETTINGS and the acknowledgement of ours.
	if _, err := io.ReadFull(server, make([]byte, 600)); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// sleeps is what a node says in the end: how often it slept.
func sleeps(t *testing.T, j *journal) float64 {
	t.Helper()
	e := j.wait(t, 0, `"msg":"ended"`)
	n, err := strconv.ParseFloat(e.field("sleeps"), 64)
	if err != nil {
		t.Fatal(e.Text)
	}
	return n
}

// Our goodbye does not get out, for want of room. The node waits for it a
// while, asleep, whatever else happens to the connection.
func TestGoodbyeThatIsBlocked(t *testing.T) {
	const asleep = 200 // wakeups of a short life; a loop has a hundred thousand
	for what, then := range map[string]func(t *testing.T, conn *net.TCPConn){
		"NoRoom":         func(*testing.T, *net.TCPConn) {},
		"PeerHasSaidAll": func(t *testing.T, conn *net.TCPConn) { conn.CloseWrite() },
		"PeerSaysMore":   func(t *testing.T, conn *net.TCPConn) { conn.Write(make([]byte, 100)) },
		"PeerHangsUp":    func(t *testing.T, conn *net.TCPConn) { conn.Close() },
	} {
		t.Run(what, func(t *testing.T) {
			onBodies(t, hasProcess, func(t *testing.T, b Body, name string) {
				p := b.(*process)
				conn := blocked(t, p, name)
				began := time.Now()
				if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
				b.Journal().wait(t, 0, `"msg":"left"`)
				then(t, conn)
				if code := p.Exit(t); code != 0 {
					t.Errorf("exit code %d", code)
				}
				took := time.Since(began)
				if n := sleeps(t, b.Journal()); n > asleep {
					t.Errorf("it woke up %.0f times", n)
				}
				t.Logf("ended within %v", took.Round(time.Millisecond))
			})
		})
	}
}

// Whoever asks twice does not want to wait.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	onBodies(t, hasProcess, func(t *testing.T, b Body, name string) {
		p := b.(*process)
		blocked(t, p, name)
		if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		b.Journal().wait(t, 0, `"msg":"left"`)
		began := time.Now()
		if code := p.Stop(t); code != 128+int(syscall.SIGTERM) {
			t.Errorf("exit code %d", code)
		}
		t.Logf("ended within %v", time.Since(began).Round(time.Millisecond))
	})
}

var textLine = regexp.MustCompile(
	`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (ERROR|WARN |INFO |DEBUG) \S.*$`)

// The usual log is for people: time, level, message, and what is worth knowing.
func TestLogForPeople(t *testing.T) {
	onBodies(t, hasFlags, func(t *testing.T, b Body, name string) {
		s := newStage(t)
		set := s.node(t, name)
		set.Extra = []string{"--logging-format=text"}
		b.Start(t, set)
		b.Journal().wait(t, 0, "INFO  connected to the API server server="+s.proxy.Addr()+" connects=1")
		b.Journal().wait(t, 0, "INFO  lease claimed lease="+name+" renewals=1")
		b.Journal().wait(t, 0, `DEBUG TLS established version=TLSv1.3 cipher=`)
		leave(t, b)
		for _, e := range b.Journal().since(0, "") {
			if !textLine.MatchString(e.Text) {
				t.Errorf("log: %q", e.Text)
			}
		}
	})
}
