package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"femtokubelet.dev/e2e/cluster"
)

const patience = 2 * time.Minute // for one command on a busy machine

// program is a testcluster binary with a state folder of its own.
type program struct {
	t      *testing.T
	binary string
	state  string
}

func newProgram(t *testing.T) *program {
	t.Helper()
	p := &program{t: t, binary: filepath.Join(t.TempDir(), "testcluster"), state: t.TempDir()}
	if output, err := exec.Command("go", "build", "-o", p.binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, output)
	}
	// Built here, so that the commands below take seconds.
	if _, err := cluster.EnsureBinary(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, name := range []string{"default", "two"} {
			p.command(context.Background(), "down", "--name", name).Run()
		}
	})
	return p
}

func (p *program) command(ctx context.Context, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, p.binary, args...)
	command.Env = append(os.Environ(), "XDG_STATE_HOME="+p.state)
	return command
}

// run returns the output and the exit status.
func (p *program) run(args ...string) (string, int) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	output, err := p.command(ctx, args...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatalf("%v: %v", args, err)
	}
	status := 0
	if exit != nil {
		status = exit.ExitCode()
	}
	return string(output), status
}

func (p *program) want(status int, text string, args ...string) string {
	p.t.Helper()
	output, got := p.run(args...)
	if got != status || !strings.Contains(output, text) {
		p.t.Fatalf("testcluster %v: exit status %d, want %d with %q:\n%s", args, got, status, text, output)
	}
	return output
}

func (p *program) dir(name string) string {
	return filepath.Join(p.state, "femtokubelet", "testcluster", name)
}

// nothingLeft waits until no process has our state folder on its command line
// and no run folder is there.
func (p *program) nothingLeft() {
	p.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		left := p.processes()
		runs, _ := filepath.Glob(filepath.Join(p.dir("*"), runGlob))
		if len(left) == 0 && len(runs) == 0 {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("left behind: %q and %q", left, runs)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// processes finds supervisors by their program and all others by their
// arguments, which hold the folder.
func (p *program) processes() (found []string) {
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, proc := range all {
		line, _ := os.ReadFile(filepath.Join(proc, "cmdline"))
		exe, _ := os.Readlink(filepath.Join(proc, "exe"))
		if bytes.Contains(line, []byte(p.state)) || exe == p.binary {
			found = append(found, fmt.Sprintf("%s %s", filepath.Base(proc), bytes.ReplaceAll(line, []byte{0}, []byte{' '})))
		}
	}
	return found
}

// TestCommandLife drives the program as people and scripts do.
func TestCommandLife(t *testing.T) {
	if testing.Short() {
		t.Skip("starts real control planes")
	}
	p := newProgram(t)
	p.want(exitNotRunning, "testcluster up", "status")
	p.want(exitNotRunning, "not running", "kubectl", "get", "nodes")
	p.want(0, "is not running", "down")

	p.want(0, "is up at https://127.0.0.1:", "up", "--grace", "8s", "--audit")
	p.want(0, "is running already", "up")
	p.want(0, "kube-scheduler", "status")
	p.want(0, "kube-node-lease", "kubectl", "get", "namespaces")
	p.want(1, "NotFound", "kubectl", "get", "node", "nobody")
	p.want(0, "/node-rack-1.yaml", "kubeconfig", "--node", "rack-1")
	p.want(0, "certificate-authority-data", "kubeconfig", "--raw")
	p.want(0, "", "route", "10.0.2.15:10250", "127.0.0.1:34567")
	p.want(0, "10.0.2.15:10250 127.0.0.1:34567", "route")
	p.want(1, "loopback", "route", "10.0.2.15:10250", "10.0.2.2:34567")
	p.want(0, "", "route", "--delete", "10.0.2.15:10250")
	p.want(0, "is up at", "up", "--name", "two", "--rsa")
	p.want(0, `cluster "two" is down`, "down", "--name", "two")
	p.want(0, "kube-scheduler", "status")
	p.want(0, `cluster "default" is down`, "down")
	p.nothingLeft()
	for _, log := range []string{"etcd.log", "kube-apiserver.log", "audit.log"} {
		if !exists(filepath.Join(p.dir("default"), "logs", log)) {
			t.Errorf("%s is gone", log)
		}
	}
}

// TestKilled ends supervisor and launcher in every rude way.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("starts real control planes")
	}
	p := newProgram(t)
	p.want(0, "is up at", "up")
	s, err := findRunning(p.dir("default"))
	if err != nil || s == nil {
		t.Fatalf("no state: %v", err)
	}
	if err := s.Supervisor.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	p.nothingLeft()

	p.want(0, "is up at", "up")
	if s, err = findRunning(p.dir("default")); err != nil || s == nil {
		t.Fatalf("no state: %v", err)
	}
	if err := s.Components["etcd"].Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	p.nothingLeft() // a control plane with a hole is no control plane
	p.want(exitNotRunning, "not running", "status")

	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT} {
		for _, args := range [][]string{{"up"}, {"up", "--foreground"}} {
			p.interrupt(sig, args)
			p.nothingLeft()
		}
	}
}

// interrupt signals the launcher once etcd runs, in the middle of a start.
func (p *program) interrupt(sig syscall.Signal, args []string) {
	p.t.Helper()
	var output bytes.Buffer
	command := p.command(p.t.Context(), args...)
	command.Stdout, command.Stderr = &output, &output
	if err := command.Start(); err != nil {
		p.t.Fatal(err)
	}
	deadline := time.Now().Add(patience)
	for {
		logs, _ := filepath.Glob(filepath.Join(p.dir("default"), runGlob, "etcd", "member"))
		if len(logs) > 0 {
			break
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%v: etcd does not start:\n%s", args, output.String())
		}
		time.Sleep(10 * time.Millisecond)
	}
	command.Process.Signal(sig)
	if err := command.Wait(); err == nil {
		p.t.Errorf("%v: no error after %v", args, sig)
	}
}
