package field

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"femtokubelet.dev/e2e/board"
	"femtokubelet.dev/e2e/lab"
	"femtokubelet.dev/e2e/wire"
)

// apiPort is where the API server is in the lab.
const apiPort = 6443

// site is a lab with one board in it, which is provisioned, and a witness of
// its Node.
type site struct {
	*witness
	lab   *lab.Lab
	cable *lab.Cable
	api   *wire.Proxy // before the API server
	board *board.Board
	name  string

	boots   int     // so many are as they should be
	program *memory // nil: nobody looked yet
	frames  [2]lab.Counts
}

// settings of the board by the console's names. The usual ones are a kubelet's:
// a Lease of 40 s, renewed every ten.
type settings map[string]string

// quick makes the Lease a quarter of the usual: there is more to see in as much
// time, and less time for repetitions.
var quick = settings{"lease-duration": "10"}

const (
	usualLease = 40 * time.Second
	quickLease = 10 * time.Second
)

// build makes a site whose board is provisioned, and waits to be rebooted.
func build(t *testing.T, more settings) *site {
	t.Helper()
	s := &site{lab: lab.New(t), name: nodeName(t)}
	c := sharedCluster(t)
	var err error
	if s.cable, err = s.lab.Plug(t.Context(), "board0"); err != nil {
		t.Fatal(err)
	}
	if s.api, err = s.lab.Forward(apiPort, strings.TrimPrefix(c.URL(), "https://")); err != nil {
		t.Fatal(err)
	}
	s.witness = newWitness(t, c, s.name)
	s.place(t)
	kubeconfig, err := c.NodeKubeconfig(s.name)
	if err != nil {
		t.Fatal(err)
	}
	from := s.board.Now()
	if err := s.board.Start(); err != nil {
		t.Fatal(err)
	}
	s.says(t, from, "waiting for settings")
	all := settings{"log-level": "debug"}
	for key, value := range more {
		all[key] = value
	}
	err = s.board.Provision(soon(t), board.Settings{
		Kubeconfig: kubeconfig, Name: s.name, More: all,
		Server: fmt.Sprintf("https://%s:%d", lab.ServerName, apiPort),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// place puts a new board at the end of the cable.
func (s *site) place(t *testing.T) {
	t.Helper()
	// Not t.TempDir, which makes paths too long for a socket.
	dir, err := os.MkdirTemp("", "field-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s.board, err = board.New(dir, board.Options{Network: s.cable.QEMU(board.NetworkID)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of the board:\n%s", s.log(0))
		}
		if err := s.board.Kill(); err != nil {
			t.Error(err)
		}
	})
}

var names struct {
	sync.Mutex
	used map[string]int
}

// nodeName makes one of a test's name.
func nodeName(t *testing.T) string {
	name := strings.ToLower(strings.TrimPrefix(t.Name(), "Test"))
	name = strings.NewReplacer("/", "-", "_", "-", "%", "").Replace(name)
	names.Lock()
	defer names.Unlock()
	if names.used == nil {
		names.used = map[string]int{}
	}
	names.used[name]++
	if n := names.used[name]; n > 1 { // go test -count
		name += "-" + strconv.Itoa(n)
	}
	return name
}

// boot reboots the board, to use its settings.
func (s *site) boot(t *testing.T) board.Mark {
	t.Helper()
	from := s.board.Now()
	if _, err := s.board.Command(soon(t), "reboot"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.board.Wait(soon(t), from, board.Line.IsBoot); err != nil {
		t.Fatal("the board does not boot: ", err)
	}
	s.boots = s.board.Boots()
	return from
}

// ready makes a site whose node is Ready.
func ready(t *testing.T, more settings) *site {
	t.Helper()
	s := build(t, more)
	s.boot(t)
	s.ready(t, patience)
	return s
}

// soon bounds what ought to happen at once.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// says waits for a text on the console.
func (s *site) says(t *testing.T, from board.Mark, text string) board.Line {
	t.Helper()
	line, err := s.board.Wait(soon(t), from, func(l board.Line) bool { return strings.Contains(l.Text, text) })
	if err != nil {
		t.Fatalf("the console did not say %q: %v", text, err)
	}
	return line
}

// said lists what the console said since, of one text.
func (s *site) said(from board.Mark, text string) (list []string) {
	for _, line := range s.board.Lines(from) {
		if strings.Contains(line.Text, text) {
			list = append(list, line.Text)
		}
	}
	return list
}

// log is what the board logged, from a place on, without what commands printed.
func (s *site) log(from board.Mark) string {
	var b strings.Builder
	for _, line := range s.board.Lines(from) {
		if line.Level != "" {
			fmt.Fprintf(&b, "%s  %s\n", line.Arrived.Format("15:04:05.000"), line.Text)
		}
	}
	return b.String()
}

func (s *site) status(t *testing.T) map[string]string {
	t.Helper()
	status, err := s.board.Status(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	return status
}

// figure is a number in the board's status.
func (s *site) figure(t *testing.T, key string) int { return figureOf(t, s.status(t), key) }

func figureOf(t *testing.T, status map[string]string, key string) int {
	t.Helper()
	n, err := strconv.Atoi(status[key])
	if err != nil {
		t.Fatalf("status %s=%q", key, status[key])
	}
	return n
}

// check fails unless the board lives on, unbroken, and its Node and Lease with it.
func (s *site) check(t *testing.T) {
	t.Helper()
	if !s.board.Running() {
		t.Fatal("QEMU has ended")
	}
	if n := s.board.Boots(); n != s.boots {
		t.Errorf("the board was reset %d times", n-s.boots)
	}
	status := s.status(t)
	if status["heap-failures"] != "0" {
		t.Errorf("the heap ran out %s times; of %s bytes %s were used at the peak",
			status["heap-failures"], status["heap-size"], status["heap-peak"])
	}
	for _, text := range []string{"internal error", "assertion failed"} {
		for _, line := range s.said(0, text) {
			t.Error(line)
		}
	}
	if err := s.err(); err != nil {
		t.Error(err)
	}
}

// passed is what went through the cable in a direction since the last call.
func (s *site) passed(d lab.Direction) lab.Counts {
	now, before := s.cable.Counts(d), s.frames[d]
	s.frames[d] = now
	return lab.Counts{
		Offered: now.Offered - before.Offered, Lost: now.Lost - before.Lost,
		Duplicated: now.Duplicated - before.Duplicated, Overtaken: now.Overtaken - before.Overtaken,
		Dropped: now.Dropped - before.Dropped, Delivered: now.Delivered - before.Delivered,
	}
}

// plug pulls the cable or plugs it in, at both of its ends.
func (s *site) plug(t *testing.T, in bool) {
	t.Helper()
	if !in {
		if err := s.board.Link(false); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.cable.SetUp(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if in {
		if err := s.board.Link(true); err != nil {
			t.Fatal(err)
		}
	}
}

func rounded(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }
