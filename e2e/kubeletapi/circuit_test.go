package kubeletapi

import (
	"encoding/pem"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"femtokubelet.dev/e2e/board"
	"femtokubelet.dev/e2e/lab"
)

// circuit is the body of a board: build/qemu/femtokubelet.elf in QEMU, or what
// FEMTOKUBELET_BOARD names, at a cable of the lab.
type circuit struct {
	board *board.Board
	cable *lab.Cable
	boots int // so many are as they should be
	ready bool
}

func (c *circuit) start(t *testing.T, n *node) {
	t.Helper()
	if c.board == nil {
		c.place(t, n)
	}
	from := c.board.Now()
	if err := c.board.Start(); err != nil {
		t.Fatal(err)
	}
	if !c.ready {
		c.says(t, from, "waiting for settings")
		c.provision(t, n)
		from = c.board.Now()
		if _, err := c.board.Command(soon(t), "reboot"); err != nil {
			t.Fatal(err)
		}
		c.ready = true
	}
	if _, err := c.board.Wait(soon(t), from, board.Line.IsBoot); err != nil {
		t.Fatal("the board does not boot: ", err)
	}
	c.boots = c.board.Boots()
}

// place puts a board at the end of a cable.
func (c *circuit) place(t *testing.T, n *node) {
	t.Helper()
	var err error
	if c.cable, err = n.lab.Plug(t.Context(), fmt.Sprintf("board%d", n.apiPort)); err != nil {
		t.Fatal(err)
	}
	if c.board, err = board.New(n.dir, board.Options{Network: c.cable.QEMU(board.NetworkID)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of the board:\n%s", c.log())
		}
		if err := c.board.Kill(); err != nil {
			t.Error(err)
		}
	})
}

func (c *circuit) provision(t *testing.T, n *node) {
	t.Helper()
	s := &n.settings
	more := map[string]string{"log-level": "debug"}
	if s.LeaseSeconds != 0 {
		more["lease-duration"] = strconv.Itoa(s.LeaseSeconds)
	}
	if s.Remember != 0 {
		more["auth-cache"] = strconv.Itoa(int(s.Remember.Seconds()))
	}
	if s.NoPort {
		more["port"] = "0"
	}
	if s.OpenHealth {
		more["anonymous-healthz"] = "yes"
	}
	if s.ConfigMaps != "" {
		more["config-map"] = s.ConfigMaps
	}
	if !s.NoAPIServer {
		more["api-server-user"] = apiServerUser
	}
	all := board.Settings{
		Kubeconfig: n.kubeconfig(t, lab.ServerName), Name: n.name, More: more,
		Server: fmt.Sprintf("https://%s:%d", lab.ServerName, n.apiPort),
	}
	if !s.SelfSigned {
		all.ServerCert, all.ServerKey = n.serving(t)
	}
	if !s.WithoutClients {
		all.ClientCA = n.CAFile()
	}
	if s.BrokenClientCA { // as long as it says, and no certificate
		all.ClientCA = n.file(t, "broken.crt", pem.EncodeToMemory(
			&pem.Block{Type: "CERTIFICATE", Bytes: []byte{0x30, 3, 2, 1, 1}}))
	}
	if err := c.board.Provision(soon(t), all); err != nil {
		t.Fatal(err)
	}
}

func (c *circuit) says(t *testing.T, from board.Mark, text string) {
	t.Helper()
	_, err := c.board.Wait(soon(t), from, func(l board.Line) bool { return strings.Contains(l.Text, text) })
	if err != nil {
		t.Fatalf("the console did not say %q: %v", text, err)
	}
}

func (c *circuit) kill(t *testing.T) {
	t.Helper()
	if err := c.board.Kill(); err != nil {
		t.Fatal(err)
	}
}

func (c *circuit) ip() string { return "" }

func (c *circuit) log() string {
	var b strings.Builder
	for _, line := range c.board.Lines(0) {
		if line.Level != "" {
			fmt.Fprintf(&b, "%s  %s\n", line.Arrived.Format("15:04:05.000"), line.Text)
		}
	}
	all := strings.SplitAfter(b.String(), "\n")
	return strings.Join(all[max(0, len(all)-60):], "")
}

func (c *circuit) over() bool { return !c.board.Running() }

func (c *circuit) check(t *testing.T) {
	t.Helper()
	if !c.board.Running() {
		t.Fatal("QEMU has ended")
	}
	if n := c.board.Boots(); n != c.boots {
		t.Fatalf("the board was reset %d times", n-c.boots)
	}
	status, err := c.board.Status(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	if status["heap-failures"] != "0" {
		t.Errorf("the heap ran out %s times; of %s bytes %s were used at the peak",
			status["heap-failures"], status["heap-size"], status["heap-peak"])
	}
	for _, line := range c.board.Lines(0) {
		if strings.Contains(line.Text, "internal error") || strings.Contains(line.Text, "assertion failed") {
			t.Error(line.Text)
		}
	}
}
