package node

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
)

var qemu = &kind{
	name:      "qemu",
	traits:    isBoard,
	make:      func() Body { return &circuit{} },
	resources: "25m 96Ki 0 of 3",
	address:   board.BoardIP,
	slow:      20 * time.Second, // provisioning, on a machine with much to do
	cutStep:   27,
}

// circuit is the body of a board: build/qemu/femtokubelet.elf in QEMU. Its
// first start provisions it, as a person would, and reboots.
type circuit struct {
	journal journal
	once    sync.Once
	board   *board.Board
	flash   string // what was provisioned
	boots   int    // so many when Start had done its work
}

// has makes the board if there is none yet.
func (c *circuit) has(t *testing.T, opts board.Options) *board.Board {
	t.Helper()
	c.once.Do(func() {
		// Not t.TempDir, which makes paths too long for a socket.
		dir, err := os.MkdirTemp("", "board-")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		opts.OnLine = c.journal.note
		if c.board, err = board.New(dir, opts); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("console of the board:\n%s", c.journal.tail(60))
			}
			if err := c.board.Kill(); err != nil {
				t.Error(err)
			}
		})
	})
	return c.board
}

// soon bounds what a board does at once.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// power switches the board on and waits until its program runs.
func (c *circuit) power(t *testing.T, opts board.Options) {
	t.Helper()
	b := c.has(t, opts)
	from := b.Now()
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	c.awaitBoot(t, from)
}

func (c *circuit) awaitBoot(t *testing.T, from board.Mark) board.Line {
	t.Helper()
	line, err := c.board.Wait(soon(t), from, board.Line.IsBoot)
	if err != nil {
		t.Fatal("the board does not boot: ", err)
	}
	c.boots = c.board.Boots()
	return line
}

func (c *circuit) Start(t *testing.T, s settings) {
	t.Helper()
	if len(s.Extra)+len(s.Env) > 0 {
		t.Fatal("a board has no flags and no environment")
	}
	c.power(t, board.Options{})
	if wanted := recordOf(t, s); wanted != c.flash {
		c.provision(t, s)
		c.flash = wanted
	}
}

func recordOf(t *testing.T, s settings) string {
	t.Helper()
	kubeconfig, err := os.ReadFile(s.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(s, string(kubeconfig))
}

// provision fills the settings in, and reboots to use them.
func (c *circuit) provision(t *testing.T, s settings) {
	t.Helper()
	more := map[string]string{"log-level": "debug"}
	seconds := func(name string, value time.Duration) {
		if value != 0 {
			more[name] = strconv.Itoa(int(value / time.Second))
		}
	}
	seconds("lease-duration", time.Duration(s.LeaseSeconds)*time.Second)
	seconds("status-update", s.StatusUpdate)
	seconds("status-report", s.StatusReport)
	err := c.board.Provision(soon(t), board.Settings{
		Kubeconfig: s.Kubeconfig, Name: s.Name, ServerName: s.ServerName, Labels: s.Labels, More: more,
	})
	if err != nil {
		t.Fatal(err)
	}
	c.reboot(t)
}

func (c *circuit) reboot(t *testing.T) {
	t.Helper()
	from := c.board.Now()
	if _, err := c.board.Command(soon(t), "reboot"); err != nil {
		t.Fatal(err)
	}
	c.awaitBoot(t, from)
}

func (c *circuit) Stop(t *testing.T) int {
	t.Fatal("a board cannot be asked to leave")
	return 0
}

func (c *circuit) Kill(t *testing.T) {
	t.Helper()
	if err := c.board.Kill(); err != nil {
		t.Fatal(err)
	}
}

func (c *circuit) Journal() *journal { return &c.journal }

func (c *circuit) Kind() *kind { return qemu }

func (c *circuit) status(t *testing.T) map[string]string {
	t.Helper()
	status, err := c.board.Status(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	return status
}

func (c *circuit) CheckHealth(t *testing.T) {
	t.Helper()
	if !c.board.Running() {
		t.Fatal("QEMU has ended")
	}
	if n := c.board.Boots(); n != c.boots {
		t.Fatalf("the board was reset %d times", n-c.boots)
	}
	s := c.status(t)
	if s["heap-failures"] != "0" {
		t.Errorf("the heap ran out %s times, of %s bytes %s were used at the peak", s["heap-failures"], s["heap-size"], s["heap-peak"])
	}
	for _, text := range []string{"internal error", "assertion failed"} {
		if list := c.journal.since(0, text); len(list) > 0 {
			t.Error(list[0].Text)
		}
	}
}

// number of a figure in the board's status.
func number(t *testing.T, status map[string]string, key string) int {
	t.Helper()
	n, err := strconv.Atoi(status[key])
	if err != nil {
		t.Fatalf("status %s=%q", key, status[key])
	}
	return n
}

// onBoards runs a story that only boards have.
func onBoards(t *testing.T, story func(t *testing.T, c *circuit, name string)) {
	t.Helper()
	onBodies(t, isBoard, func(t *testing.T, b Body, name string) { story(t, b.(*circuit), name) })
}

func hasText(text string) func(board.Line) bool {
	return func(l board.Line) bool { return strings.Contains(l.Text, text) }
}

// says waits for a text on the console.
func (c *circuit) says(t *testing.T, from board.Mark, text string) board.Line {
	t.Helper()
	line, err := c.board.Wait(soon(t), from, hasText(text))
	if err != nil {
		t.Fatalf("the console did not say %q: %v", text, err)
	}
	return line
}
