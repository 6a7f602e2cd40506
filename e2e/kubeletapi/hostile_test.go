package kubeletapi

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// crowd is more clients than there are places.
	crowd = 12
	// longestGap between renewals of a quick Lease: half of what it lasts.
	longestGap = quickLease * time.Second / 2
)

// attack is what hostile clients do to a node until ctx ends. It must not fail
// because the node defends itself.
type attack struct {
	name string
	run  func(ctx context.Context, n *node, config *tls.Config)
}

var attacks = []attack{
	{"headers that come slowly", each(crowd, drip("GET /healthz HTTP/1.1\r\nHost: a\r\nX: ", "x"))},
	{"bodies that come slowly", each(crowd, drip("POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 4000\r\n\r\n", "x"))},
	{"chunks that come slowly", each(crowd, drip("POST /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"))},
	{"answers that are not read", each(crowd, deaf)},
	{"connections opened and left", openAndLeave},
	{"handshakes begun and left", each(crowd, leaveHandshake)},
	{"handshakes without end", each(3, shakeHands)},
	{"noise instead of TLS", each(crowd, noise)},
	{"handshakes cut anywhere", each(3, cutRaw)},
	{"connections reset amid an answer", each(3, resetAmid)},
}

// each runs a client several times at once, again and again.
func each(count int, client func(ctx context.Context, n *node, config *tls.Config)) func(context.Context, *node, *tls.Config) {
	return func(ctx context.Context, n *node, config *tls.Config) {
		var work sync.WaitGroup
		for range count {
			work.Go(func() {
				for ctx.Err() == nil {
					client(ctx, n, config)
					pause(ctx, time.Millisecond)
				}
			})
		}
		work.Wait()
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// dialRaw opens a TCP connection that ends with ctx.
func dialRaw(ctx context.Context, n *node) (net.Conn, error) {
	conn, err := n.lab.Dial("tcp4", n.where)
	if err != nil {
		pause(ctx, 100*time.Millisecond)
		return nil, err
	}
	context.AfterFunc(ctx, func() { conn.Close() })
	return conn, nil
}

func dialTLS(ctx context.Context, n *node, config *tls.Config) (*tls.Conn, error) {
	raw, err := dialRaw(ctx, n)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	return conn, nil
}

// drip sends the beginning of a request, and then no more than a bit of it at
// a time, until the node has had enough.
func drip(begin, bit string) func(context.Context, *node, *tls.Config) {
	return func(ctx context.Context, n *node, config *tls.Config) {
		conn, err := dialTLS(ctx, n, config)
		if err != nil {
			return
		}
		defer conn.Close()
		for text := begin; ctx.Err() == nil; text = bit {
			if _, err := io.WriteString(conn, text); err != nil {
				return
			}
			pause(ctx, 200*time.Millisecond)
		}
	}
}

// deaf asks for much and reads nothing.
func deaf(ctx context.Context, n *node, config *tls.Config) {
	conn, err := dialTLS(ctx, n, config)
	if err != nil {
		return
	}
	defer conn.Close()
	for ctx.Err() == nil {
		if _, err := io.WriteString(conn, "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			return
		}
		pause(ctx, 10*time.Millisecond)
	}
}

// openAndLeave has a thousand connections open at once.
func openAndLeave(ctx context.Context, n *node, _ *tls.Config) {
	var open []net.Conn
	defer func() {
		for _, conn := range open {
			conn.Close()
		}
	}()
	for i := 0; i < 1000 && ctx.Err() == nil; i++ {
		if conn, err := dialRaw(ctx, n); err == nil {
			open = append(open, conn)
		}
	}
	<-ctx.Done()
}

// leaveHandshake says hello and waits.
func leaveHandshake(ctx context.Context, n *node, config *tls.Config) {
	raw, err := dialRaw(ctx, n)
	if err != nil {
		return
	}
	defer raw.Close()
	mute := &cutConn{Conn: raw, left: 300 + rand.IntN(3000)}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	tls.Client(mute, config).HandshakeContext(ctx)
}

// shakeHands does nothing else.
func shakeHands(ctx context.Context, n *node, config *tls.Config) {
	if conn, err := dialTLS(ctx, n, config); err == nil {
		conn.NetConn().Close()
	}
}

func noise(ctx context.Context, n *node, _ *tls.Config) {
	conn, err := dialRaw(ctx, n)
	if err != nil {
		return
	}
	defer conn.Close()
	for ctx.Err() == nil {
		text := make([]byte, 1+rand.IntN(2000))
		for i := range text {
			text[i] = byte(rand.Uint32())
		}
		if rand.IntN(2) == 0 { // as if it were a record of a handshake
			copy(text, []byte{22, 3, 3, byte(rand.IntN(0x42)), byte(rand.Uint32()), 1})
		}
		if _, err := conn.Write(text); err != nil {
			return
		}
	}
}

// cutConn sends so many bytes and no more. To its user, all is well.
type cutConn struct {
	net.Conn
	left  int
	reset bool // end it there
}

func (c *cutConn) Write(data []byte) (int, error) {
	part := data[:min(len(data), c.left)]
	c.left -= len(part)
	if _, err := c.Conn.Write(part); err != nil {
		return 0, err
	}
	if c.left == 0 && c.reset {
		abort(c.Conn)
		return 0, net.ErrClosed
	}
	return len(data), nil
}

// abort ends a connection with RST.
func abort(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

func cutRaw(ctx context.Context, n *node, config *tls.Config) {
	raw, err := dialRaw(ctx, n)
	if err != nil {
		return
	}
	conn := tls.Client(&cutConn{Conn: raw, left: 1 + rand.IntN(3000), reset: rand.IntN(2) == 0}, config)
	ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	if conn.HandshakeContext(ctx) == nil {
		io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
	}
	raw.Close()
}

func resetAmid(ctx context.Context, n *node, config *tls.Config) {
	conn, err := dialTLS(ctx, n, config)
	if err != nil {
		return
	}
	io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
	if rand.IntN(2) == 0 {
		conn.Read(make([]byte, 1))
	}
	abort(conn.NetConn())
}

// TestHostileClients: through each attack the Lease is renewed in time and
// others are served, and afterwards memory is as it was.
func TestHostileClients(t *testing.T) {
	onBodies(t, func(t *testing.T, k *kind) {
		n := readyNode(t, ourWorld(t), k, settings{LeaseSeconds: quickLease})
		n.where = n.address(t)
		a := n.asAPIServer(t)
		// Those who are let in may do more harm.
		config := a.http.Transport.(*http.Transport).TLSClientConfig.Clone()
		config.DynamicRecordSizingDisabled = true
		before := n.levels(t, a)
		for _, attack := range attacks {
			t.Run(strings.ReplaceAll(attack.name, " ", "-"), func(t *testing.T) {
				began := time.Now()
				ctx, stop := context.WithTimeout(t.Context(), long(4*time.Second, time.Minute))
				defer stop()
				var work sync.WaitGroup
				work.Go(func() { attack.run(ctx, n, config) })
				worst, served := n.served(ctx, t)
				work.Wait()
				a.get(t, "/femto/status")
				gap, renewals := n.leases.gap(began)
				t.Logf("%d renewals, the longest gap %v; %d answers to others, the slowest after %v; then %v",
					renewals, rounded(gap), served, rounded(worst), time.Since(began).Round(time.Second))
				if gap > longestGap || worst > k.longestWait {
					t.Errorf("the longest gap was %v, the slowest answer took %v", gap, worst)
				}
				n.levelsReturn(t, a, before)
				n.body.check(t)
			})
		}
	})
}

// served asks again and again on new connections, until ctx ends, and once
// more.
func (n *node) served(ctx context.Context, t *testing.T) (worst time.Duration, count int) {
	t.Helper()
	a := n.asAPIServer(t)
	for over := false; !over; {
		over = ctx.Err() != nil
		began := time.Now()
		for { // those who are turned away come again
			got, err := a.ask(soon(t), http.MethodGet, "/healthz")
			a.hangUp()
			if err == nil && got.status == http.StatusOK {
				break
			}
			if time.Since(began) > 2*n.kind.longestWait {
				t.Errorf("nobody else is served: %d, %v", got.status, err)
				return time.Since(began), count
			}
			pause(t.Context(), 50*time.Millisecond)
		}
		worst = max(worst, time.Since(began))
		count++
		pause(ctx, 100*time.Millisecond)
	}
	return worst, count
}

// exchange sends bytes and reads all that comes until the node hangs up, or
// says no more. Its end is "EOF", an alert, "reset" or "open"; an error is for
// a connection that was never there.
func (n *node) exchange(t *testing.T, config *tls.Config, text string) (answer, end string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, err := dialTLS(ctx, n, config)
	if err != nil {
		return "", "", err
	}
	defer conn.Close()
	go io.WriteString(conn, text)
	var got []byte
	buf := make([]byte, 4096)
	for {
		wait := 10 * time.Second
		if len(got) > 0 {
			wait = 700 * time.Millisecond // for a second answer
		}
		conn.SetReadDeadline(time.Now().Add(wait))
		count, err := conn.Read(buf)
		got = append(got, buf[:count]...)
		var late net.Error
		if errors.As(err, &late) && late.Timeout() {
			return string(got), open, nil
		}
		switch {
		case err == nil:
		case errors.Is(err, syscall.ECONNRESET):
			return string(got), "reset", nil
		default:
			return string(got), err.Error(), nil
		}
	}
}

// open is the end of an exchange that has none.
const open = "open"

// TestCutAtEveryByte of a request, by a goodbye or without one.
func TestCutAtEveryByte(t *testing.T) {
	onBodies(t, func(t *testing.T, k *kind) {
		n := readyNode(t, ourWorld(t), k, settings{LeaseSeconds: quickLease})
		n.where = n.address(t)
		a := n.asAPIServer(t)
		before := n.levels(t, a)
		began := time.Now()
		config := n.tls(nil)
		const request = "POST /healthz?verbose HTTP/1.1\r\nHost: node\r\nAuthorization: Bearer abc\r\n" +
			"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nTrailer: x\r\n\r\n"
		for i := 0; i < len(request); i += long(k.slow, 1) {
			conn := n.comeIn(t, config)
			if _, err := io.WriteString(conn, request[:i]); err != nil {
				t.Fatalf("at byte %d: %v", i, err)
			}
			if i%2 == 0 {
				abort(conn.NetConn())
			} else {
				conn.Close()
			}
		}
		gap, _ := n.leases.gap(began)
		t.Logf("%v; the longest gap between renewals: %v", rounded(time.Since(began)), rounded(gap))
		if gap > longestGap {
			t.Errorf("the longest gap was %v", gap)
		}
		n.levelsReturn(t, a, before)
		n.body.check(t)
	})
}

// comeIn connects, again where it is turned away: a board may still have to
// find out that who was there before has gone.
func (n *node) comeIn(t *testing.T, config *tls.Config) (conn *tls.Conn) {
	t.Helper()
	eventually(t, "it is let in", func(ctx context.Context) (err error) {
		conn, err = dialTLS(t.Context(), n, config)
		return err
	})
	return conn
}

// A request that is wrong, and the statuses that say so. Those who ask have no
// credentials: 401 means that it was taken for a good one.
type wrong struct {
	name, request string
	want          []int
}

// longest is no wrong request, but the longest that is none: it is refused for
// want of a right, and the connection may go on.
const longest = "the longest path"

// smuggled would be read as a second request where one of two takes the first
// to end earlier.
const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"

func post(head, body string) string {
	return "POST /pods HTTP/1.1\r\nHost: a\r\n" + head + "\r\n" + body
}
func get(head string) string { return "GET /pods HTTP/1.1\r\nHost: a\r\n" + head + "\r\n" }

const chunked = "Transfer-Encoding: chunked\r\n"

var bad = []int{400}

var smuggling = []wrong{
	{"two lengths", post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"+smuggled), bad},
	{"the same length twice", post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"+smuggled), bad},
	{"lengths in a list", post("Content-Length: 5, 5\r\n", "hello"+smuggled), bad},
	{"length and chunks", post("Content-Length: 5\r\n"+chunked, "0\r\n\r\n"+smuggled), bad},
	{"chunks and length", post(chunked+"Content-Length: 5\r\n", "0\r\n\r\n"+smuggled), bad},
	{"chunks twice", post(chunked+chunked, "0\r\n\r\n"+smuggled), []int{400, 501}},
	{"chunks last but one", post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"+smuggled), []int{400, 501}},
	{"unknown encoding", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"+smuggled), []int{400, 501}},
	{"compressed", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"+smuggled), []int{400, 501}},
	{"chunks behind a tab", post("Transfer-Encoding:\tchunked\x0b\r\n", "0\r\n\r\n"+smuggled), []int{400, 501}},
	{"chunks in HTTP/1.0", "POST /pods HTTP/1.0\r\n" + chunked + "\r\n0\r\n\r\n" + smuggled, []int{400, 401, 505}},
	{"plus", post("Content-Length: +5\r\n", "hello"+smuggled), bad},
	{"minus", post("Content-Length: -5\r\n", "hello"+smuggled), bad},
	{"hexadecimal length", post("Content-Length: 0x5\r\n", "hello"+smuggled), bad},
	{"length with a space in it", post("Content-Length: 5 0\r\n", "hello"+smuggled), bad},
	{"length of nothing", post("Content-Length:\r\n", "hello"+smuggled), bad},
	{"length beyond 64 bits", post("Content-Length: 18446744073709551621\r\n", "hello"+smuggled), []int{400, 413}},
	{"chunk with 0x", post(chunked, "0x5\r\nhello\r\n0\r\n\r\n"), []int{400, 401}},
	{"negative chunk", post(chunked, "-5\r\nhello\r\n0\r\n\r\n"), []int{400, 401}},
	{"chunk beyond 64 bits", post(chunked, "10000000000000005\r\nhello\r\n0\r\n\r\n"), []int{400, 401, 413}},
	{"chunk that is longer than it says", post(chunked, "3\r\nhello\r\n0\r\n\r\n"), []int{400, 401}},
	{"chunk ended by a bare LF", post(chunked, "5\nhello\n0\n\n"+smuggled), []int{400, 401}},
	{"bare LF", "GET /pods HTTP/1.1\nHost: a\n\n" + smuggled, bad},
	{"bare LF behind one header", "GET /pods HTTP/1.1\r\nHost: a\nX: y\r\n\r\n" + smuggled, bad},
	{"bare CR", "GET /pods HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", bad},
	{"folded header", get("X: y\r\n z\r\n"), bad},
	{"space before the colon", post("Content-Length : 5\r\n", "hello"), bad},
	{"space before a header", "GET /pods HTTP/1.1\r\n Host: a\r\n\r\n", bad},
	{"header without a name", get(": y\r\n"), bad},
	{"header without a colon", get("Content-Length\r\n"), bad},
	{"zero byte in a value", get("X: a\x00b\r\n"), bad},
	{"zero byte in the path", "GET /po\x00ds HTTP/1.1\r\nHost: a\r\n\r\n", bad},
	{"encoded zero byte in the path", "GET /pods%00 HTTP/1.1\r\nHost: a\r\n\r\n", []int{400, 401}},
	{"space in the path", "GET /po ds HTTP/1.1\r\nHost: a\r\n\r\n", bad},
	{"no version", "GET /pods\r\n\r\n", []int{400, 505}},
	{"unknown version", "GET /pods HTTP/3.0\r\nHost: a\r\n\r\n", []int{400, 505}},
	{"two digits of a version", "GET /pods HTTP/1.10\r\nHost: a\r\n\r\n", []int{400, 505}},
	{"HTTP/2's beginning", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", []int{400, 501, 505}},
	{"no host", "GET /pods HTTP/1.1\r\n\r\n", bad},
	{"two hosts", "GET /pods HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", bad},
	{"unknown method", "BREW /pods HTTP/1.1\r\nHost: a\r\n\r\n", []int{400, 405, 501}},
	{"CONNECT", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n" + smuggled, []int{400, 405, 501}},
	{"an expectation", post("Expect: 100-continue\r\nContent-Length: 5\r\n", ""), []int{401, 417}},
	{"an unknown expectation", post("Expect: the-unexpected\r\nContent-Length: 5\r\n", ""), []int{400, 401, 417}},
	{"upgrade", get("Connection: Upgrade\r\nUpgrade: h2c\r\n") + smuggled, []int{401}},
	{"two requests at once", get("") + smuggled, []int{401}},
	{"a body that nobody asked for", get("Content-Length: 5\r\n") + "hello" + smuggled, []int{401}},
}

var oversize = []wrong{
	{longest, "GET /" + strings.Repeat("a", 511) + " HTTP/1.1\r\nHost: a\r\n\r\n", []int{401}},
	{"a path too long", "GET /" + strings.Repeat("a", 512) + " HTTP/1.1\r\nHost: a\r\n\r\n", []int{414}},
	{"a query too long", "GET /pods?" + strings.Repeat("a", 60000) + " HTTP/1.1\r\nHost: a\r\n\r\n", []int{414}},
	{"a path without end", "GET /" + strings.Repeat("a", 200000), []int{414}},
	{"a header too long", get("X: " + strings.Repeat("x", 9000) + "\r\n"), []int{431}},
	{"a header without end", "GET /pods HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 200000), []int{431}},
	{"a name without end", "GET /pods HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("x", 200000), []int{431}},
	{"too many headers", get(strings.Repeat("X: y\r\n", 4000)), []int{431}},
	{"a token too long", get("Authorization: Bearer " + strings.Repeat("t", 5000) + "\r\n"), []int{401, 431}},
	{"a body too long", post("Content-Length: 4097\r\n", strings.Repeat("x", 4097)), []int{413, 401}},
	{"a body much too long", post("Content-Length: 9000000000\r\n", strings.Repeat("x", 100000)), []int{413, 401}},
	{"chunks too long", post(chunked, strings.Repeat("400\r\n"+strings.Repeat("x", 1024)+"\r\n", 50)), []int{413, 401}},
	{"a chunk extension without end", post(chunked, "1;"+strings.Repeat("x", 100000)), []int{400, 401, 413, 431}},
	{"trailers without end", post(chunked, "0\r\n"+strings.Repeat("X: y\r\n", 20000)), []int{400, 401, 413, 431}},
	{"a method too long", strings.Repeat("G", 100000) + " /pods HTTP/1.1\r\nHost: a\r\n\r\n", []int{400, 431, 501}},
	{"empty lines without end", strings.Repeat("\r\n", 50000) + get(""), []int{400, 401, 431}},
}

var statusLine = regexp.MustCompile(`(^|\n|\})HTTP/1\.1 [0-9]`)

// TestWrongRequests: each has one answer that says what is wrong, and the
// connection ends with it, so that no rest of it is taken for a request.
func TestWrongRequests(t *testing.T) {
	onBodies(t, func(t *testing.T, k *kind) {
		n := readyNode(t, ourWorld(t), k, settings{LeaseSeconds: quickLease})
		n.where = n.address(t)
		a := n.asAPIServer(t)
		before := n.levels(t, a)
		a.hangUp()
		config := n.tls(nil)
		began := time.Now()
		for _, w := range append(append([]wrong(nil), smuggling...), oversize...) {
			answer, end, err := n.exchange(t, config, w.request)
			if err != nil {
				t.Errorf("%s: %v", w.name, err)
				continue
			}
			answers := len(statusLine.FindAllString(answer, -1))
			right := false
			for _, status := range w.want {
				right = right || strings.HasPrefix(answer, fmt.Sprintf("HTTP/1.1 %d ", status))
			}
			// After "Connection: close" it may take in and drop what is left, so
			// that the answer is not lost in a reset.
			goesOn := end == open && !strings.Contains(answer, "\r\nConnection: close\r\n")
			if !right || answers != 1 || goesOn != (w.name == longest) {
				line, _, _ := strings.Cut(answer, "\r\n")
				t.Errorf("%s: %q, %d answers, end: %s; want one of %v", w.name, line, answers, end, w.want)
			}
		}
		gap, _ := n.leases.gap(began)
		t.Logf("%d requests in %v; the longest gap between renewals: %v", len(smuggling)+len(oversize),
			rounded(time.Since(began)), rounded(gap))
		if gap > longestGap {
			t.Errorf("the longest gap was %v", gap)
		}
		n.levelsReturn(t, a, before)
		n.body.check(t)
	})
}

// TestLargeRecords: a client may put 16 KB in a record. That is taken in while
// there is memory; else the connection ends, and nothing else does.
func TestLargeRecords(t *testing.T) {
	onBodies(t, func(t *testing.T, k *kind) {
		n := readyNode(t, ourWorld(t), k, settings{LeaseSeconds: quickLease})
		n.where = n.address(t)
		a := n.asAPIServer(t)
		before := n.levels(t, a)
		a.hangUp()
		config := n.tls(nil)
		config.DynamicRecordSizingDisabled = true
		// One record each: a head as large as it may be with a body as large as
		// it may be, and 16,384 bytes of a head that is too large.
		large := post("Content-Length: 4096\r\nX: "+strings.Repeat("x", 8000)+"\r\n", strings.Repeat("x", 4096))
		whole := get("X: " + strings.Repeat("x", 1<<14))[:1<<14]
		outcomes := map[string]int{}
		for range long(3, 30) {
			for text, want := range map[string]string{large: "HTTP/1.1 401 ", whole: "HTTP/1.1 431 "} {
				answer, end, err := n.exchange(t, config, text)
				// Without memory for the record, or for the request in it.
				refused := k.tooLarge != "" && (answer == "" && strings.Contains(end, k.tooLarge) ||
					strings.HasPrefix(answer, "HTTP/1.1 503 "))
				if err != nil || !strings.HasPrefix(answer, want) && !refused {
					t.Errorf("a record of %d bytes alone: %.40q, end: %s, %v; want %s", len(text), answer, end, err, want)
				}
				outcomes[fmt.Sprintf("%d bytes: %.12s, end: %s", len(text), answer, end)]++
			}
		}
		t.Logf("alone: %v", outcomes)
		var work sync.WaitGroup
		var mu sync.Mutex
		clear(outcomes)
		for range crowd {
			work.Go(func() {
				answer, end, err := n.exchange(t, config, large)
				mu.Lock()
				defer mu.Unlock()
				outcomes[fmt.Sprintf("%.12s, end: %s, %v", answer, end, err)]++
			})
		}
		work.Wait()
		t.Logf("%d at once: %v", crowd, outcomes)
		a.get(t, "/femto/status")
		n.levelsReturn(t, a, before)
		n.body.check(t)
	})
}

// TestHandshakesAreNotBegunAnew: a client that wants to renegotiate (TLS 1.2)
// or to change keys (1.3) again and again is hung up on, and costs no more than
// that. openssl sends either for a letter.
func TestHandshakesAreNotBegunAnew(t *testing.T) {
	onBodies(t, func(t *testing.T, k *kind) {
		n := readyNode(t, ourWorld(t), k, settings{LeaseSeconds: quickLease})
		a := n.asAPIServer(t)
		before := n.levels(t, a)
		began := time.Now()
		for version, letter := range map[string]string{"-tls1_2": "R", "-tls1_3": "K"} {
			for range long(3, 100) {
				command := n.lab.Command(soon(t), "openssl", "s_client", version, "-connect", n.address(t))
				input, err := command.StdinPipe()
				if err != nil {
					t.Fatal(err)
				}
				said := &output{}
				command.Stdout, command.Stderr = said, said
				if err := n.lab.Start(command); err != nil {
					t.Fatal(err)
				}
				done := make(chan error, 1)
				go func() { done <- command.Wait() }()
				for over := false; !over; {
					if _, err := io.WriteString(input, letter+"\n"); err != nil {
						break
					}
					select {
					case <-done:
						over = true
					case <-time.After(20 * time.Millisecond):
						over = time.Since(began) > patience
					}
				}
				if time.Since(began) > patience {
					t.Fatalf("openssl s_client %s may go on for ever:\n%s", version, said.tail(20))
				}
			}
		}
		gap, _ := n.leases.gap(began)
		t.Logf("%v; the longest gap between renewals: %v", rounded(time.Since(began)), rounded(gap))
		if gap > longestGap {
			t.Errorf("the longest gap was %v", gap)
		}
		n.levelsReturn(t, a, before)
		n.body.check(t)
	})
}
