// Package wire is a TCP proxy for tests: it counts what passes, and it breaks
// connections on command the ways a network does. It looks at TLS record
// headers but holds no key, so both ends believe that they talk directly.
package wire

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// Direction of bytes through the proxy.
type Direction int

const (
	ToServer Direction = iota
	ToClient
)

func (d Direction) String() string { return [...]string{"to server", "to client"}[d] }

// Traffic is what passed in one direction. Bytes that were dropped or held
// back are not in it.
type Traffic struct {
	Bytes         int64 // TCP payload
	Records       int64 // TLS records begun
	LargestRecord int   // payload of the largest TLS record, without its 5-byte header
}

// Counts is a snapshot since Start.
type Counts struct {
	ToServer, ToClient Traffic
	Connections        int // accepted from clients
	ClientHellos       int // TLS handshakes that a client began
}

// Connection is the history of one, as the proxy saw it.
type Connection struct {
	Opened time.Time
	// ClientGone is when the client's FIN or RST arrived, ServerGone the
	// server's; zero while it has not. They are noticed during Silence, too.
	ClientGone, ServerGone time.Time
	ToServer, ToClient     Traffic
	ClientHello            bool
	// Cut: ended by ResetAll or CutAfter.
	Cut bool
}

// Ports come from below the kernel's ephemeral range, so that no outgoing
// connection takes ours while Refuse has it closed.
const (
	lowestPort   = 20000
	highestPort  = 32767
	portAttempts = 1000
)

// dialTimeout bounds the way to the target; it is on the same machine.
const dialTimeout = 10 * time.Second

// Proxy forwards every connection to one target.
type Proxy struct {
	target string
	addr   string
	open   func(addr string) (net.Listener, error)
	work   sync.WaitGroup

	mu       sync.Mutex
	changed  *sync.Cond // silent or closed changed, or a link's state did
	listener *net.TCPListener
	links    []*link // all of them, in the order in which they came
	silent   bool
	closed   bool
	cut      *cut // for the next connection
}

type cut struct {
	direction Direction
	after     int64
}

// Start listens on a free port of 127.0.0.1 and forwards to target, a
// "host:port".
func Start(target string) (*Proxy, error) {
	for range portAttempts {
		port := lowestPort + rand.IntN(highestPort-lowestPort+1)
		p, err := StartOn(target, fmt.Sprintf("127.0.0.1:%d", port), listenTCP)
		if err == nil {
			return p, nil
		}
	}
	return nil, fmt.Errorf("no free port on 127.0.0.1 between %d and %d", lowestPort, highestPort)
}

func listenTCP(addr string) (net.Listener, error) { return net.Listen("tcp", addr) }

// StartOn listens on addr by means of open, which makes a *net.TCPListener,
// perhaps in another network namespace, and again after each Refuse.
func StartOn(target, addr string, open func(addr string) (net.Listener, error)) (*Proxy, error) {
	p := &Proxy{target: target, addr: addr, open: open}
	p.changed = sync.NewCond(&p.mu)
	if err := p.listen(); err != nil {
		return nil, err
	}
	return p, nil
}

// listen opens p.addr and accepts from it. p.mu is not held.
func (p *Proxy) listen() error {
	listener, err := p.open(p.addr)
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.listener = listener.(*net.TCPListener)
	p.mu.Unlock()
	p.work.Go(func() { p.accept(listener.(*net.TCPListener)) })
	return nil
}

func (p *Proxy) accept(listener *net.TCPListener) {
	for {
		client, err := listener.AcceptTCP()
		if err != nil {
			return // closed by Refuse or Close
		}
		p.adopt(client)
	}
}

func (p *Proxy) adopt(client *net.TCPConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		reset(client)
		return
	}
	l := &link{proxy: p, client: client, cut: p.cut}
	l.history.Opened = time.Now()
	p.cut = nil
	p.links = append(p.links, l)
	p.work.Go(l.run)
}

// Addr is where clients connect, "127.0.0.1:port" unless StartOn was told another.
func (p *Proxy) Addr() string { return p.addr }

// Counts adds up all connections, ended ones included.
func (p *Proxy) Counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := Counts{Connections: len(p.links)}
	for _, l := range p.links {
		c.ToServer.add(l.history.ToServer)
		c.ToClient.add(l.history.ToClient)
		if l.history.ClientHello {
			c.ClientHellos++
		}
	}
	return c
}

func (t *Traffic) add(other Traffic) {
	t.Bytes += other.Bytes
	t.Records += other.Records
	t.LargestRecord = max(t.LargestRecord, other.LargestRecord)
}

// Connections lists every connection since Start, the first one first.
func (p *Proxy) Connections() []Connection {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]Connection, 0, len(p.links))
	for _, l := range p.links {
		list = append(list, l.history)
	}
	return list
}

// Silence makes the proxy drop off the network, as far as can be seen from
// both ends: connections stay open (new ones can be made, since the kernel
// does that), but nothing passes, not even a FIN. When it ends, what was held
// back passes, as TCP would have repeated it.
func (p *Proxy) Silence(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent = on
	p.changed.Broadcast()
}

// Refuse closes the port, so that the kernel answers new connections with RST;
// those that are open stay. Refuse(false) opens the port again.
func (p *Proxy) Refuse(on bool) error {
	p.mu.Lock()
	listener, closed := p.listener, p.closed
	if on {
		p.listener = nil
	}
	p.mu.Unlock()
	switch {
	case closed:
		return net.ErrClosed
	case on && listener != nil:
		return listener.Close()
	case !on && listener == nil:
		return p.listen()
	}
	return nil
}

// CutAfter resets the next connection, towards both ends, as soon as n bytes
// have passed in the direction given: 0 means before the first byte.
func (p *Proxy) CutAfter(direction Direction, n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = &cut{direction, n}
}

// ResetAll ends all open connections with RST.
func (p *Proxy) ResetAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.links {
		if !l.over {
			l.history.Cut = true
			l.reset()
		}
	}
}

// Close ends everything and returns when nothing of the proxy runs any more.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	listener := p.listener
	p.listener = nil
	for _, l := range p.links {
		l.reset()
	}
	p.changed.Broadcast()
	p.mu.Unlock()
	var err error
	if listener != nil {
		err = listener.Close()
	}
	p.work.Wait()
	return err
}
