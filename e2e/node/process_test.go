package node

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"femtokubelet.dev/e2e/launch"
)

var linux = &kind{
	name:      "linux",
	traits:    hasFlags | hasProcess | hasTokens | hasClock | hasRSAKeys | canLeave,
	make:      func() Body { return &process{} },
	resources: "240m 320Ki 0 of 3",
	address:   "127.0.0.1",
	slow:      0,
	cutStep:   9,
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
	path, err := launch.Program()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func flags(s settings) []string {
	// Without a port of their own: many of them are on this host.
	args := []string{"--logging-format=json", "-v=4", "--port=0"}
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
	p.done = make(chan struct{})
	if err := launch.Start(p.command); err != nil {
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

func (p *process) Kind() *kind { return linux }

// peakKiB is twice what a node of the Linux port has resident; most of it is
// the C library's and the program's own pages.
const peakKiB = 6 << 10

func (p *process) CheckHealth(t *testing.T) {
	t.Helper()
	p.stillAlive(t)
	if u := p.usage(t); u.peakKiB > peakKiB {
		t.Errorf("%d KiB resident at the peak", u.peakKiB)
	}
	if list := p.journal.since(0, "internal error"); len(list) > 0 {
		t.Error(list[0].Text)
	}
}

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
