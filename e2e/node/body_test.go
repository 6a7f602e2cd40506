package node

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// settings are what an operator says about a node, in no body's own terms.
type settings struct {
	Name         string
	Kubeconfig   string        // path
	StatusUpdate time.Duration // zero: the node's default, as in all of these
	StatusReport time.Duration
	LeaseSeconds int
	Labels       map[string]string
	Extra        []string // flags, for bodies that have flags
	Env          []string
}

// Body is one node, however it is made to run. A body may be started again
// after it ended.
type Body interface {
	Start(t *testing.T, s settings)
	// Stop asks the node to leave the cluster, and returns its exit code when
	// it has ended.
	Stop(t *testing.T) int
	// Kill ends the node without giving it a chance to say anything.
	Kill(t *testing.T)
	// Journal is what the node logged, over all of its lives.
	Journal() *journal
}

// trait is what a case needs of a body.
type trait uint

const (
	hasFlags   trait = 1 << iota // takes settings.Extra; refuses to start with an exit code
	hasProcess                   // has a /proc/PID on this machine
)

// bodies is where the board in QEMU will be added.
var bodies = []struct {
	name   string
	traits trait
	make   func() Body
}{
	{"linux", hasFlags | hasProcess, func() Body { return &process{} }},
}

// onBodies runs a story in parallel to others, once for each body that has
// what it needs. Name is a good name for the node.
func onBodies(t *testing.T, needs trait, story func(t *testing.T, b Body, name string)) {
	t.Helper()
	t.Parallel()
	if testing.Short() {
		t.Skip("runs nodes")
	}
	for _, kind := range bodies {
		if kind.traits&needs != needs {
			continue
		}
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			story(t, kind.make(), nodeName(t))
		})
	}
}

// nodeName makes a node's name of the test's.
func nodeName(t *testing.T) string {
	name := strings.ToLower(strings.TrimPrefix(t.Name(), "Test"))
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, name)
}

// leaveTimeout is far above what the node allows itself for leaving.
const leaveTimeout = 30 * time.Second

// process is the body of the Linux port: build/release/femtokubelet.
type process struct {
	journal journal
	tell    sync.Once
	command *exec.Cmd
	done    chan struct{} // closed when command has ended
}

func binary(t *testing.T) string {
	t.Helper()
	path := os.Getenv("FEMTOKUBELET")
	if path == "" {
		path = filepath.Join("..", "..", "build", "release", "femtokubelet")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode()&0o111 == 0 {
		t.Fatalf("no program at %s: run \"make release\" in the repository's root first, "+
			"or name one in FEMTOKUBELET", path)
	}
	return path
}

func flags(s settings) []string {
	args := []string{"--logging-format=json", "-v=4"}
	add := func(name, value string) { args = append(args, "--"+name+"="+value) }
	if s.Kubeconfig != "" {
		add("kubeconfig", s.Kubeconfig)
	}
	if s.Name != "" {
		add("hostname-override", s.Name)
	}
	if s.StatusUpdate != 0 {
		add("node-status-update-frequency", s.StatusUpdate.String())
	}
	if s.StatusReport != 0 {
		add("node-status-report-frequency", s.StatusReport.String())
	}
	if s.LeaseSeconds != 0 {
		add("lease-duration-seconds", strconv.Itoa(s.LeaseSeconds))
	}
	for key, value := range s.Labels {
		add("node-labels", key+"="+value)
	}
	return append(args, s.Extra...)
}

func (p *process) Start(t *testing.T, s settings) {
	t.Helper()
	if p.running() {
		t.Fatal("the node runs already")
	}
	p.command = exec.Command(binary(t), flags(s)...)
	p.command.Env = append(os.Environ(), s.Env...)
	p.command.Stderr = &p.journal
	p.command.Stdout = &p.journal
	// Also when this test program is killed: no node outlives it. The signal
	// comes when the thread ends that started the node, so that stays.
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.done = make(chan struct{})
	if err := launch(p.command); err != nil {
		t.Fatal(err)
	}
	command, done := p.command, p.done
	go func() {
		command.Wait()
		close(done)
	}()
	t.Cleanup(func() {
		command.Process.Kill() // by handle: never somebody else's process
		<-done
	})
	p.tell.Do(func() {
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("log of the node:\n%s", p.journal.tail(50))
			}
		})
	})
}

func (p *process) running() bool {
	if p.done == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

func (p *process) pid() int { return p.command.Process.Pid }

func (p *process) Stop(t *testing.T) int {
	t.Helper()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	return p.Exit(t)
}

// Exit waits for an end that comes by itself.
func (p *process) Exit(t *testing.T) int {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(leaveTimeout):
		t.Fatalf("the node has not ended within %v", leaveTimeout)
	}
	return p.command.ProcessState.ExitCode()
}

func (p *process) Kill(t *testing.T) {
	t.Helper()
	if err := p.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.done
}

func (p *process) Journal() *journal { return &p.journal }

// stillAlive fails unless the process of Start still runs.
func (p *process) stillAlive(t *testing.T) {
	t.Helper()
	if !p.running() {
		t.Fatalf("the node has ended: %v", p.command.ProcessState)
	}
}

// usage is what /proc says of a process.
type usage struct {
	cpu      time.Duration // user and system time
	switches int           // context switches of the main thread
	peakKiB  int           // largest resident set so far
}

// clockTick is USER_HZ, which Linux has fixed for user space.
const clockTick = 10 * time.Millisecond

func (p *process) usage(t *testing.T) usage {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid()))
	if err != nil {
		t.Fatal(err)
	}
	// proc_pid_stat(5): fields after the name, which may hold anything.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	u := usage{cpu: time.Duration(user+system) * clockTick}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid()))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		name, rest, _ := strings.Cut(line, ":")
		var number int
		if fmt.Sscan(rest, &number); strings.HasSuffix(name, "voluntary_ctxt_switches") {
			u.switches += number
		} else if name == "VmHWM" {
			u.peakKiB = number
		}
	}
	return u
}
