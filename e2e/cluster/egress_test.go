package cluster

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// echo answers with what it got, in upper case, once its client is done.
func echo(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				text, _ := io.ReadAll(conn)
				conn.Write(bytes.ToUpper(text))
			}()
		}
	}()
	return listener
}

func testEgress(t *testing.T, dial Dialer) (folder string) {
	t.Helper()
	// Longer than a socket's path may be.
	folder = filepath.Join(t.TempDir(), strings.Repeat("x", 120))
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	e, err := startEgress(folder, dial)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.close)
	return folder
}

// knock connects to the proxy as the API server does, from its own folder.
func knock(t *testing.T, folder string) net.Conn {
	t.Helper()
	open, err := os.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	conn, err := net.Dial("unix", fmt.Sprintf("/proc/self/fd/%d/%s", open.Fd(), egressSocket))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	return conn
}

func connect(t *testing.T, conn net.Conn, address string) *http.Response {
	t.Helper()
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", address)
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodConnect})
	if err != nil {
		t.Fatal(err)
	}
	return response
}

func TestEgressMovesBytesBothWays(t *testing.T) {
	server := echo(t)
	var asked string
	folder := testEgress(t, func(ctx context.Context, network, address string) (net.Conn, error) {
		asked = network + " " + address
		return net.Dial("tcp", server.Addr().String())
	})
	conn := knock(t, folder)
	if response := connect(t, conn, "10.0.2.15:10250"); response.StatusCode != http.StatusOK {
		t.Fatal(response.Status)
	}
	sent := strings.Repeat("lease ", 100_000)
	go func() {
		io.WriteString(conn, sent)
		conn.(*net.UnixConn).CloseWrite()
	}()
	got, err := io.ReadAll(conn)
	if err != nil || string(got) != strings.ToUpper(sent) {
		t.Errorf("%d bytes of %d came back, %v", len(got), len(sent), err)
	}
	if asked != "tcp4 10.0.2.15:10250" {
		t.Errorf("dialled %q", asked)
	}
}

// The reason is in the status line, which is all that the API server repeats.
func TestEgressSaysWhyNot(t *testing.T) {
	folder := testEgress(t, func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no such\r\nnode")
	})
	if response := connect(t, knock(t, folder), "10.0.2.15:10250"); response.Status != "502 no such  node" {
		t.Errorf("%q", response.Status)
	}
	for request, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n":                           "405",
		"nonsense\r\n\r\n":                                            "400",
		"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\nearly":                "400",
		"CONNECT a:1 HTTP/1.1\r\nX: " + strings.Repeat("x", 5000):     "400",
		"CONNECT a:1 HTTP/1.1\r\nX: y\r\n" + strings.Repeat("z", 300): "", // not finished: nothing yet
	} {
		conn := knock(t, folder)
		io.WriteString(conn, request)
		if want == "" {
			conn.Close()
			continue
		}
		line, _ := bufio.NewReader(conn).ReadString('\n')
		if !strings.HasPrefix(line, "HTTP/1.1 "+want+" ") {
			t.Errorf("%.40q: %q, want %s", request, line, want)
		}
	}
}

// close ends connections in whatever state, and leaves nothing running.
func TestEgressCloses(t *testing.T) {
	server := echo(t)
	folder := t.TempDir()
	e, err := startEgress(folder, func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("tcp", server.Addr().String())
	})
	if err != nil {
		t.Fatal(err)
	}
	silent, moving := knock(t, folder), knock(t, folder)
	if response := connect(t, moving, "a:1"); response.StatusCode != http.StatusOK {
		t.Fatal(response.Status)
	}
	done := make(chan struct{})
	go func() { e.close(); close(done) }()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatal("close waits for clients")
	}
	for _, conn := range []net.Conn{silent, moving} {
		if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("a connection outlives the proxy: %d, %v", n, err)
		}
	}
}

func TestRoutes(t *testing.T) {
	a := &Access{runDir: t.TempDir()}
	if err := writeFile(filepath.Join(a.runDir, accessName), nil); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ address, target, want string }{
		{"10.0.2.15:10250", "127.0.0.1:34567", ""},
		{"metrics.lab.test:443", "[::1]:4443", ""},
		{"10.0.2.15:10250", "10.0.2.2:34567", "loopback"},
		{"10.0.2.15:10250", "example.com:80", "loopback"},
		{"10.0.2.15:10250", "localhost:80", "loopback"}, // names may mean anything
		{"10.0.2.15", "127.0.0.1:1", "port"},
		{"10.0.2.15:0", "127.0.0.1:1", "HOST:PORT"},
		{"10.0.2.15:65536", "127.0.0.1:1", "HOST:PORT"},
		{":10250", "127.0.0.1:1", "HOST:PORT"},
	} {
		err := a.Route(row.address, row.target)
		if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s to %s: %v, want %q", row.address, row.target, err, row.want)
		}
	}
	if err := a.Route("metrics.lab.test:443", ""); err != nil {
		t.Fatal(err)
	}
	routes, err := a.Routes()
	if err != nil || len(routes) != 1 || routes["10.0.2.15:10250"] != "127.0.0.1:34567" {
		t.Errorf("%v, %v", routes, err)
	}
}

// Neither routes nor loopback: the caller's dialer or nobody.
func TestDialNode(t *testing.T) {
	server := echo(t).Addr().String()
	c := &Cluster{Access: &Access{runDir: t.TempDir()}}
	if err := writeFile(filepath.Join(c.runDir, accessName), nil); err != nil {
		t.Fatal(err)
	}
	dials := func(address string, want bool) {
		t.Helper()
		conn, err := c.dialNode(t.Context(), "tcp4", address)
		if conn != nil {
			conn.Close()
		}
		if (err == nil) != want {
			t.Errorf("%s: %v", address, err)
		}
	}
	dials(server, true)
	dials("10.0.2.15:10250", false)
	dials("192.0.2.1:80", false)
	if err := c.Route("10.0.2.15:10250", server); err != nil {
		t.Fatal(err)
	}
	dials("10.0.2.15:10250", true)
	dials("10.0.2.15:10251", false)
	c.opts.DialNode = func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("tcp", server)
	}
	dials("10.0.2.15:10251", true)
}
