package wire

import (
	"context"
	"net"
	"sync"
	"time"
)

const (
	chunk = 16 << 10
	// heldMax bounds what is kept back during Silence, per direction.
	heldMax = 1 << 20
)

// link is one connection: a client's, and ours to the target in its name.
type link struct {
	proxy  *Proxy
	client *net.TCPConn
	cut    *cut

	// The rest is guarded by proxy.mu.
	server  *net.TCPConn // nil until connected
	over    bool
	history Connection
	meters  [2]meter
}

// reset ends both sides with RST. proxy.mu is held.
func (l *link) reset() {
	l.over = true
	reset(l.client)
	if l.server != nil {
		reset(l.server)
	}
	l.proxy.changed.Broadcast()
}

// reset makes the kernel send RST rather than FIN.
func reset(c *net.TCPConn) {
	c.SetLinger(0)
	c.Close()
}

func (l *link) run() {
	if l.cut != nil && l.cut.after == 0 {
		l.cutNow()
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", l.proxy.target)
	p := l.proxy
	p.mu.Lock()
	if err != nil || l.over {
		if err == nil {
			reset(conn.(*net.TCPConn))
		}
		// What a client sees of a server that is not there, but for the SYN.
		l.reset()
		p.mu.Unlock()
		return
	}
	l.server = conn.(*net.TCPConn)
	p.mu.Unlock()

	var both sync.WaitGroup
	both.Go(func() { l.relay(ToServer, l.client, l.server) })
	both.Go(func() { l.relay(ToClient, l.server, l.client) })
	both.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !l.over {
		l.over = true
		l.client.Close()
		l.server.Close()
	}
}

// pipeline carries the bytes of one direction from the reader to the writer.
// Two goroutines, so that the end of a connection is seen during Silence.
type pipeline struct {
	held  []byte
	ended bool // nothing more will come
}

func (l *link) relay(d Direction, from, to *net.TCPConn) {
	var pipe pipeline
	var reader sync.WaitGroup
	reader.Go(func() { l.read(d, from, &pipe) })
	l.write(d, to, &pipe)
	reader.Wait()
}

func (l *link) read(d Direction, from *net.TCPConn, pipe *pipeline) {
	p := l.proxy
	buf := make([]byte, chunk)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		pipe.held = append(pipe.held, buf[:n]...)
		if err != nil {
			pipe.ended = true
			l.gone(d)
			l.endAfter(err)
		}
		p.changed.Broadcast()
		for len(pipe.held) > heldMax && !l.over {
			p.changed.Wait()
		}
		over := l.over
		p.mu.Unlock()
		if err != nil || over {
			return
		}
	}
}

// gone notes when the sender of direction d left, unless we threw it out.
func (l *link) gone(d Direction) {
	at := &l.history.ClientGone
	if d == ToClient {
		at = &l.history.ServerGone
	}
	if !l.over && at.IsZero() {
		*at = time.Now()
	}
}

// endAfter passes an RST on as RST, once it may pass.
func (l *link) endAfter(err error) {
	if isReset(err) && !l.over && !l.proxy.silent {
		l.reset()
	}
}

func (l *link) write(d Direction, to *net.TCPConn, pipe *pipeline) {
	p := l.proxy
	for {
		p.mu.Lock()
		for !l.over && (p.silent || (len(pipe.held) == 0 && !pipe.ended)) {
			p.changed.Wait()
		}
		if l.over || (len(pipe.held) == 0 && pipe.ended) {
			over := l.over
			p.mu.Unlock()
			if !over {
				to.CloseWrite()
			}
			return
		}
		next, cutting := l.admit(d, pipe)
		p.mu.Unlock()
		_, err := to.Write(next)
		if cutting {
			l.cutNow()
		} else if err != nil {
			p.mu.Lock()
			l.gone(1 - d) // who does not take is who sends the other way
			if !l.over {
				l.reset()
			}
			p.mu.Unlock()
		}
	}
}

// admit takes what may pass now and counts it; cutting says that it is the
// last of this connection. proxy.mu is held.
func (l *link) admit(d Direction, pipe *pipeline) (next []byte, cutting bool) {
	next = pipe.held
	traffic := &l.history.ToServer
	if d == ToClient {
		traffic = &l.history.ToClient
	}
	if l.cut != nil && l.cut.direction == d && traffic.Bytes+int64(len(next)) >= l.cut.after {
		next = next[:l.cut.after-traffic.Bytes]
		cutting = true
	}
	pipe.held = nil
	traffic.Bytes += int64(len(next))
	m := &l.meters[d]
	m.feed(next)
	traffic.Records, traffic.LargestRecord = m.records, m.largest
	if d == ToServer {
		l.history.ClientHello = m.hello
	}
	l.proxy.changed.Broadcast()
	return next, cutting
}

func (l *link) cutNow() {
	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	if !l.over {
		l.history.Cut = true
		l.reset()
	}
}
