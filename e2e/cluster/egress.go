package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// The API server refuses to call a kubelet on loopback, and a node of ours is
// in a network namespace or behind QEMU's user network, where the API server
// cannot reach. So all that it dials on the cluster's behalf (nodes, pods,
// aggregated API servers, webhooks) goes through this proxy, as in clusters
// with konnectivity.
const (
	egressSocket = "egress.sock" // relative to the API server's folder: paths of sockets are short
	egressConfig = "egress.yaml"

	egressHeadTimeout = 10 * time.Second // the API server writes its CONNECT at once
	egressDialTimeout = 5 * time.Second
	egressHeadMax     = 4096
)

const egressSelector = `apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
- name: cluster
  connection:
    proxyProtocol: HTTPConnect
    transport:
      uds:
        udsName: ` + egressSocket + "\n"

// Dialer connects to an address as the cluster's nodes have them.
type Dialer func(ctx context.Context, network, address string) (net.Conn, error)

// egress is a CONNECT proxy on a Unix socket in the cluster's folder. Its
// socket vanishes with that.
type egress struct {
	dial     Dialer
	listener net.Listener
	work     sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]bool
	closed bool
}

// startEgress makes the socket in a folder whose path may be longer than that
// of a socket.
func startEgress(folder string, dial Dialer) (*egress, error) {
	if err := writeFile(filepath.Join(folder, egressConfig), []byte(egressSelector)); err != nil {
		return nil, err
	}
	open, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	defer open.Close()
	listener, err := net.Listen("unix", fmt.Sprintf("/proc/self/fd/%d/%s", open.Fd(), egressSocket))
	if err != nil {
		return nil, fmt.Errorf("the API server's way to nodes: %w", err)
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false) // by then that path is another's
	e := &egress{dial: dial, listener: listener, conns: map[net.Conn]bool{}}
	e.work.Go(e.accept)
	return e, nil
}

func (e *egress) accept() {
	for {
		conn, err := e.listener.Accept()
		if err != nil {
			return
		}
		e.work.Go(func() {
			if e.keep(conn) {
				e.serve(conn)
			}
			e.drop(conn)
		})
	}
}

// keep notes a connection that close is to end.
func (e *egress) keep(conn net.Conn) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.conns[conn] = true
	}
	return !e.closed
}

func (e *egress) drop(conn net.Conn) {
	conn.Close()
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.conns, conn)
}

// close ends all connections and returns when nothing runs any more.
func (e *egress) close() {
	e.listener.Close()
	e.mu.Lock()
	e.closed = true
	for conn := range e.conns {
		conn.Close()
	}
	e.mu.Unlock()
	e.work.Wait()
}

// serve answers one CONNECT and then moves bytes.
func (e *egress) serve(client net.Conn) {
	client.SetDeadline(time.Now().Add(egressHeadTimeout))
	reader := bufio.NewReaderSize(io.LimitReader(client, egressHeadMax), egressHeadMax)
	request, err := http.ReadRequest(reader)
	switch {
	case err != nil:
		refuse(client, http.StatusBadRequest, err)
		return
	case request.Method != http.MethodConnect:
		refuse(client, http.StatusMethodNotAllowed, errors.New("CONNECT only"))
		return
	case reader.Buffered() > 0:
		refuse(client, http.StatusBadRequest, errors.New("bytes behind the CONNECT"))
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), egressDialTimeout)
	defer cancel()
	server, err := e.dial(ctx, "tcp4", request.Host)
	if err != nil {
		refuse(client, http.StatusBadGateway, err)
		return
	}
	defer e.drop(server)
	client.SetDeadline(time.Time{})
	if !e.keep(server) {
		return
	}
	if _, err := io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n"); err == nil {
		splice(client, server)
	}
}

// refuse puts the reason where the API server repeats it: its own error holds
// the status line and nothing of the body.
func refuse(client net.Conn, status int, reason error) {
	line := []byte(reason.Error())
	for i, c := range line {
		if c < ' ' || c > '~' {
			line[i] = ' '
		}
	}
	fmt.Fprintf(client, "HTTP/1.1 %d %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status, line)
}

// splice moves bytes both ways until both ends have said that they are done,
// or one is broken.
func splice(a, b net.Conn) {
	done := make(chan struct{}, 2)
	move := func(to, from net.Conn) {
		_, err := io.Copy(to, from)
		half, ok := to.(interface{ CloseWrite() error })
		if err != nil || !ok || half.CloseWrite() != nil {
			a.Close()
			b.Close()
		}
		done <- struct{}{}
	}
	go move(a, b)
	move(b, a)
	<-done
	<-done
}
