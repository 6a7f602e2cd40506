package node

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// badReply is how an API server, or what stands before it, answers everything
// until the node has logged what it thinks of it.
type badReply struct {
	name   string
	answer answer
	logs   []string
	// waits is what must lie between two requests at least, of those that the
	// answer is about.
	waits time.Duration
}

func code(status int, kind, body string) answer {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		io.WriteString(w, body)
		return true
	}
}

// refusal answers with a Status, as an API server does.
func refusal(e *apierrors.StatusError) answer {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		write(w, int(e.ErrStatus.Code), encodeStatus(e))
		return true
	}
}

// with answers as usual, but for the head.
func with(change func(http.Header)) answer {
	return func(w http.ResponseWriter, r *http.Request) bool {
		change(w.Header())
		return false
	}
}

var nodesResource = schema.GroupResource{Resource: "nodes"}

const page = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"

var badReplies = []badReply{
	{"MalformedProtobuf", code(201, protobufType, "k8s\x00"+strings.Repeat("\xff", 300)), []string{"the reply is not a Node"}, 0},
	{"ProtobufWithoutEnd", code(201, protobufType, "k8s\x00\x12\xff\xff\xff\xff\x0f"), []string{"the reply is not a Node"}, 0},
	{"NoProtobufAtAll", code(201, "application/json", `{"kind":"Node","metadata":{"uid":"x"}}`), []string{"the reply is not a Node"}, 0},
	{"EmptyBody", code(200, protobufType, ""), []string{"the reply is not a Node"}, 0},
	{"HTMLPage", code(200, "text/html", page), []string{"the reply is not a Node"}, 0},
	{"HTMLErrorPage", code(502, "text/html", page), []string{`"status":502`, "502 Bad Gateway"}, 0},
	{"Redirect", code(302, "text/html", page), []string{`"status":302`, "this is not an API server's address"}, 3 * time.Second},
	// Packed by HPACK it fits a TLS record, but is more than FK_H2_HEADERS_MAX.
	{"HeadersTooLarge", with(func(h http.Header) { h.Set("X-Large", strings.Repeat("e", 4200)) }),
		[]string{"value beyond its bound"}, 0},
	{"HeadersLargerThanRecord", with(func(h http.Header) { h.Set("X-Large", strings.Repeat("x", 6000)) }),
		[]string{"larger than FK_TLS_IN_MAX"}, 0},
	{"ManyHeaders", with(func(h http.Header) {
		for i := range 300 {
			h.Set(fmt.Sprintf("X-Header-%d", i), "value")
		}
	}), []string{"value beyond its bound"}, 0},
	{"HugeReply", hugeReply, []string{"request failed"}, 0},
	{"StalledReply", func(_ http.ResponseWriter, r *http.Request) bool {
		<-r.Context().Done()
		return true
	}, []string{"no answer in time"}, 0},
	{"Unauthorized", refusal(apierrors.NewUnauthorized("who are you")),
		[]string{`"status":401`, "does not know this node's credentials"}, 3 * time.Second},
	{"Gone", refusal(apierrors.NewGone("too old")), []string{`"status":410`, "too old"}, 0},
	{"Invalid", refusal(apierrors.NewInvalid(schema.GroupKind{Kind: "Node"}, "n", nil)),
		[]string{`"status":422`, "is invalid"}, 3 * time.Second},
	{"TooManyRequests", func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Retry-After", "4")
		return refusal(apierrors.NewTooManyRequests("slow down", 4))(w, r)
	}, []string{`"status":429`, "slow down"}, 4 * time.Second},
	{"InternalError", refusal(apierrors.NewInternalError(io.ErrUnexpectedEOF)), []string{`"status":500`, "unexpected EOF"}, 0},
	{"Unavailable", refusal(apierrors.NewServiceUnavailable("etcd is away")), []string{`"status":503`, "etcd is away"}, 0},
	{"Conflict", refusal(apierrors.NewConflict(nodesResource, "n", io.ErrNoProgress)), []string{`"status":409`}, 0},
	{"StreamReset", func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) },
		[]string{"request failed"}, 0},
}

// hugeReply is 10 MB where a node of 1 KB is expected: a field that nobody
// knows, so that it looks well until its end, which does not come.
func hugeReply(w http.ResponseWriter, _ *http.Request) bool {
	w.Header().Set("Content-Type", protobufType)
	w.WriteHeader(http.StatusCreated)
	io.WriteString(w, "k8s\x00\x12\xff\xff\xff\x7f")
	chunk := strings.Repeat("\x0a\x7f"+strings.Repeat("x", 127), 100)
	for sent := 0; sent < 10<<20; sent += len(chunk) {
		if _, err := io.WriteString(w, chunk); err != nil {
			break
		}
	}
	return true
}

// Whatever an API server answers, the node lives, says what is wrong, does not
// hammer, and goes on when the answers are good.
func TestBadReplies(t *testing.T) {
	t.Parallel()
	for _, bad := range badReplies {
		t.Run(bad.name, func(t *testing.T) {
			onBodies(t, 0, func(t *testing.T, b Body, name string) { endure(t, b, name, bad) })
		})
	}
}

func endure(t *testing.T, b Body, name string, bad badReply) {
	s := newStage(t)
	s.setAnswer(bad.answer)
	began := time.Now()
	b.Start(t, s.node(t, name))
	for _, text := range bad.logs {
		b.Journal().wait(t, 0, text)
	}
	if bad.waits == 0 {
		until(t, patience, "it asks again", func() bool { return len(s.requests()) >= 3 })
	}
	b.CheckHealth(t)
	asked := len(s.requests())
	if took := time.Since(began); asked > 6 && took < 2*time.Second {
		t.Errorf("%d requests in %v", asked, took)
	}
	s.setAnswer(nil)
	b.Journal().wait(t, 0, "lease claimed")
	b.Journal().wait(t, 0, "status reported")
	b.CheckHealth(t)
	if list := s.requests(); bad.waits > 0 {
		if waited := list[1].at.Sub(list[0].at); waited < bad.waits {
			t.Errorf("asked again after %v, want %v at least", waited, bad.waits)
		}
	}
	// Flow control bounds the records of bodies; those of headers nothing does.
	if c := s.proxy.Counts(); c.ToClient.LargestRecord > 4096 && !strings.Contains(bad.name, "Headers") {
		t.Errorf("a TLS record of %d bytes came", c.ToClient.LargestRecord)
	}
}

// The reply to the registration ends early: at a byte, in good order or not.
func TestReplyCutAtEveryByte(t *testing.T) {
	onBodies(t, 0, func(t *testing.T, b Body, name string) {
		s := newStage(t)
		set := s.node(t, name)
		request, err := http.NewRequest(http.MethodPost, "/api/v1/nodes", nil)
		if err != nil {
			t.Fatal(err)
		}
		_, reply := usualReply(request)
		step := b.Kind().cutStep
		if full {
			step = 1
		}
		for n := 0; n < len(reply); n += step {
			for _, orderly := range []bool{true, false} {
				var done atomic.Bool
				s.setAnswer(func(w http.ResponseWriter, r *http.Request) bool {
					// Not the Lease, which a node killed just now may have asked for.
					if r.Method != http.MethodPost || r.URL.Path != "/api/v1/nodes" || done.Swap(true) {
						return false
					}
					w.Header().Set("Content-Type", protobufType)
					w.WriteHeader(http.StatusCreated)
					w.Write(reply[:n])
					if !orderly {
						http.NewResponseController(w).Flush()
						panic(http.ErrAbortHandler)
					}
					return true
				})
				from := b.Journal().now()
				b.Start(t, set)
				b.Journal().wait(t, from, "node registered")
				b.CheckHealth(t)
				b.Kill(t)
				if len(b.Journal().since(from, "request failed")) > 0 {
					continue
				}
				// What is behind the UID may be missing without harm, if the
				// message ends there in good order.
				if orderly && n > len(reply)/2 {
					t.Logf("%d bytes of %d, in good order %v: taken for a whole", n, len(reply), orderly)
				} else {
					t.Errorf("%d bytes of %d, in good order %v: taken for a whole", n, len(reply), orderly)
				}
			}
		}
	})
}

// A server that answers well, but wants a new connection each time (GOAWAY),
// does not make the node spin.
func TestGoawayWithEveryReply(t *testing.T) {
	onBodies(t, 0, func(t *testing.T, b Body, name string) {
		s := newStage(t)
		s.setAnswer(with(func(h http.Header) { h.Set("Connection", "close") }))
		b.Start(t, s.node(t, name))
		b.Journal().wait(t, 0, "lease claimed")
		before, began := len(s.requests()), time.Now()
		until(t, patience, "five renewals", func() bool { return len(s.renewals()) >= 6 })
		asked, took := len(s.requests())-before, time.Since(began)
		t.Logf("%d requests on %d connections in %v", asked, len(s.proxy.Connections()), took.Round(time.Millisecond))
		if n := len(s.proxy.Connections()); n > 4*(asked+5) {
			t.Errorf("%d connections for %d requests", n, asked)
		}
		// The Lease comes first, and whoever is slow gets one request answered
		// on each connection.
		s.setAnswer(nil)
		b.Journal().wait(t, 0, "status reported")
		b.CheckHealth(t)
	})
}

// A clock that is wrong, or not there: Date in the replies is the only one
// that documents use.
func TestDates(t *testing.T) {
	t.Parallel()
	date := func(shift time.Duration) func(http.Header) {
		return func(h http.Header) { h.Set("Date", time.Now().Add(shift).UTC().Format(http.TimeFormat)) }
	}
	// While the stage's certificates are valid: who has no other clock refuses
	// them outside of that.
	const ahead, back = 300 * 24 * time.Hour, 30 * time.Minute
	for _, row := range []struct {
		name   string
		change func(http.Header)
		works  bool // the node gets its Lease with such a date
	}{
		{"FarAhead", date(ahead), true},
		{"Back", date(-back), true},
		{"None", func(h http.Header) { h["Date"] = nil }, false},
		{"Garbage", func(h http.Header) { h.Set("Date", "yesterday, all my troubles") }, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			onBodies(t, 0, func(t *testing.T, b Body, name string) {
				s := newStage(t)
				s.setAnswer(with(row.change))
				b.Start(t, s.node(t, name))
				if row.works {
					until(t, patience, "two renewals", func() bool { return len(s.renewals()) >= 3 })
				} else {
					b.Journal().wait(t, 0, "carry no Date")
				}
				wrong := len(s.renewals())
				if !row.works && wrong > 0 {
					t.Errorf("a Lease of %v, with no clock", s.renewals())
				}
				s.setAnswer(nil)
				until(t, patience, "two more renewals", func() bool { return len(s.renewals()) >= wrong+2 })
				list := s.renewals()
				for i := 1; i < len(list); i++ {
					if !list[i].After(list[i-1]) {
						t.Errorf("renewTime went from %v to %v", list[i-1], list[i])
					}
				}
				if last := list[len(list)-1]; row.name != "FarAhead" && time.Since(last).Abs() > time.Minute {
					t.Errorf("renewTime is %v now", last)
				}
				b.CheckHealth(t)
			})
		})
	}
}
