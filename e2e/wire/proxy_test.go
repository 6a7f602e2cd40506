package wire

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"
)

const patience = 20 * time.Second

// echo is a server that sends back what it receives; the channel tells how
// each of its connections ended.
func echo(t *testing.T) (string, <-chan error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	ends := make(chan error, 10)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, err := io.Copy(conn, conn)
				ends <- err
			}()
		}
	}()
	return listener.Addr().String(), ends
}

func startProxy(t *testing.T, target string) *Proxy {
	t.Helper()
	p, err := Start(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func dial(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return conn
}

// say sends text and reads as many bytes back.
func say(conn net.Conn, text string) (string, error) {
	if _, err := io.WriteString(conn, text); err != nil {
		return "", err
	}
	buf := make([]byte, len(text))
	n, err := io.ReadFull(conn, buf)
	return string(buf[:n]), err
}

// attempt is say on a new connection; that may fail as early as in connect.
func attempt(p *Proxy, text string) (string, error) {
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	return say(conn, text)
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func TestBytesAreForwardedAndCounted(t *testing.T) {
	target, ends := echo(t)
	p := startProxy(t, target)
	conn := dial(t, p)
	if got, err := say(conn, "hello"); got != "hello" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	c := p.Counts()
	if c.ToServer.Bytes != 5 || c.ToClient.Bytes != 5 || c.Connections != 1 || c.ClientHellos != 0 {
		t.Errorf("%+v", c)
	}
	conn.Close()
	if err := <-ends; err != nil {
		t.Errorf("an orderly end arrives as %v", err)
	}
	until(t, "the client's end", func() bool { return !p.Connections()[0].ClientGone.IsZero() })
}

func TestTLSIsCountedWithoutAKey(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	p := startProxy(t, server.Listener.Addr().String())
	for range 2 {
		conn, err := tls.Dial("tcp", p.Addr(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n")
		io.Copy(io.Discard, conn)
		conn.Close()
	}
	c := p.Counts()
	if c.ClientHellos != 2 || c.Connections != 2 {
		t.Errorf("%+v", c)
	}
	for _, largest := range []int{c.ToServer.LargestRecord, c.ToClient.LargestRecord} {
		if largest < 100 || largest > 1<<14+256 {
			t.Errorf("largest record %d", largest)
		}
	}
}

func TestSilenceHoldsEverythingBack(t *testing.T) {
	target, ends := echo(t)
	p := startProxy(t, target)
	conn, leaver := dial(t, p), dial(t, p)
	for _, c := range []net.Conn{conn, leaver} {
		if _, err := say(c, "a"); err != nil {
			t.Fatal(err)
		}
	}
	p.Silence(true)
	leaver.Close()
	until(t, "the leaver's end", func() bool { return !p.Connections()[1].ClientGone.IsZero() })
	conn.Write([]byte("b"))
	conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	var timeout net.Error
	if n, err := conn.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("during the silence: %d bytes, %v", n, err)
	}
	select {
	case err := <-ends:
		t.Errorf("the server heard of an end: %v", err)
	default:
	}
	if bytes := p.Counts().ToServer.Bytes; bytes != 2 {
		t.Errorf("%d bytes passed", bytes)
	}
	p.Silence(false)
	conn.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		t.Errorf("after the silence: %v", err)
	}
	<-ends
}

func TestResetAllEndsBothSides(t *testing.T) {
	target, ends := echo(t)
	p := startProxy(t, target)
	conn := dial(t, p)
	if _, err := say(conn, "a"); err != nil {
		t.Fatal(err)
	}
	p.ResetAll()
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client sees %v", err)
	}
	if err := <-ends; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the server sees %v", err)
	}
	if got, err := say(dial(t, p), "again"); got != "again" {
		t.Errorf("a new connection: %q, %v", got, err)
	}
	if list := p.Connections(); !list[0].Cut || list[1].Cut {
		t.Errorf("%+v", list)
	}
}

func TestRefuseAnswersWithReset(t *testing.T) {
	target, _ := echo(t)
	p := startProxy(t, target)
	conn := dial(t, p)
	if _, err := say(conn, "a"); err != nil {
		t.Fatal(err)
	}
	if err := p.Refuse(true); err != nil {
		t.Fatal(err)
	}
	if _, err := net.Dial("tcp", p.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("new connection: %v", err)
	}
	if _, err := say(conn, "b"); err != nil {
		t.Errorf("open connection: %v", err)
	}
	if err := p.Refuse(false); err != nil {
		t.Fatal(err)
	}
	if _, err := say(dial(t, p), "c"); err != nil {
		t.Error(err)
	}
}

func TestCutAfterCutsOneConnectionAtThatByte(t *testing.T) {
	target, _ := echo(t)
	p := startProxy(t, target)
	const text = "0123456789"
	for _, direction := range []Direction{ToServer, ToClient} {
		for n := range int64(len(text)) {
			p.CutAfter(direction, n)
			before := p.Counts()
			_, err := attempt(p, text)
			if err == nil {
				t.Fatalf("cut %v after %d: the whole arrived", direction, n)
			}
			until(t, "the cut", func() bool {
				list := p.Connections()
				return list[len(list)-1].Cut
			})
			passed := p.Counts().ToServer.Bytes - before.ToServer.Bytes
			if direction == ToClient {
				passed = p.Counts().ToClient.Bytes - before.ToClient.Bytes
			}
			if passed != n {
				t.Errorf("cut %v after %d: %d bytes passed", direction, n, passed)
			}
			if got, err := say(dial(t, p), text); got != text {
				t.Errorf("the next connection: %q, %v", got, err)
			}
		}
	}
}

func TestTargetThatIsNotThere(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target := listener.Addr().String()
	listener.Close()
	p := startProxy(t, target)
	if _, err := attempt(p, "a"); err == nil {
		t.Error("an answer from nowhere")
	}
}

func TestMeterTakesPiecesOfAnySize(t *testing.T) {
	record := func(kind byte, payload string) string {
		return string([]byte{kind, 3, 3, byte(len(payload) >> 8), byte(len(payload))}) + payload
	}
	stream := record(22, "\x01hello") + record(23, "") + record(23, strings.Repeat("x", 700))
	for size := 1; size <= len(stream); size++ {
		var m meter
		for at := 0; at < len(stream); at += size {
			m.feed([]byte(stream[at:min(at+size, len(stream))]))
		}
		if !m.hello || m.records != 3 || m.largest != 700 || m.notTLS {
			t.Fatalf("pieces of %d: %+v", size, m)
		}
	}
	var m meter
	m.feed([]byte("GET / HTTP/1.1\r\n"))
	if !m.notTLS || m.hello {
		t.Errorf("%+v", m)
	}
}
