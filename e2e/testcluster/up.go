package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"femtokubelet.dev/e2e/cluster"
)

// The supervisor is this program again. It tells "up" how far it is, a JSON
// message per line on descriptor 3, and hears on its standard input that "up"
// still lives: an input that ends before detachWord means that nobody wants
// the cluster any more.
const (
	superviseCommand = "supervise" // not for users, hence not in the usage text
	detachWord       = "detach\n"
	supervisorLog    = "supervisor.log"
)

type message struct {
	Step    string        `json:"step,omitempty"`
	Detail  string        `json:"detail,omitempty"`
	Elapsed time.Duration `json:"elapsed,omitempty"`
	Ready   bool          `json:"ready,omitempty"`
	Error   string        `json:"error,omitempty"`
}

func up(ctx context.Context, a *arguments) error {
	dir, err := clusterDir(a.name)
	if err != nil {
		return err
	}
	if s, err := findRunning(dir); err != nil || s != nil {
		return reportRunning(a, s, err)
	}
	show := newPrinter(os.Stderr)
	// Built before the folder is locked: status and down need not wait for it.
	a.binary, err = cluster.EnsureBinary(ctx, show.progress)
	show.finish()
	if err != nil {
		return err
	}
	unlock, err := lockDir(ctx, dir)
	if err != nil {
		return err
	}
	defer unlock()
	if s, err := findRunning(dir); err != nil || s != nil {
		return reportRunning(a, s, err)
	}
	removed, err := removeStale(dir)
	if err != nil {
		return fmt.Errorf("clean up after an earlier run: %w; remove %s/%s by hand", err, dir, runGlob)
	}
	if removed > 0 {
		fmt.Fprintln(os.Stderr, "testcluster: cleaned up after an earlier run that was killed")
	}
	if a.foreground {
		return foreground(ctx, a, dir, show, unlock)
	}
	err = background(ctx, a, dir, show)
	show.finish()
	if err != nil {
		return err
	}
	s, err := findRunning(dir)
	if err != nil {
		return err
	}
	if s == nil {
		return fmt.Errorf("the cluster ended right after its start; see %s", filepath.Join(dir, "logs"))
	}
	return printUp(a, s.runDir)
}

func reportRunning(a *arguments, s *state, err error) error {
	if err != nil {
		return err
	}
	fmt.Printf("cluster %q is running already, with the options it was started with\n", a.name)
	return printUp(a, s.runDir)
}

func printUp(a *arguments, runDir string) error {
	access, err := cluster.Attach(runDir)
	if err != nil {
		return err
	}
	fmt.Printf("cluster %q is up at %s\n", a.name, access.URL())
	fmt.Printf("  export KUBECONFIG=%s\n", access.Kubeconfig())
	fmt.Printf("  logs: %s\n", access.LogDir())
	return nil
}

// background starts the supervisor and returns when the cluster is ready.
func background(ctx context.Context, a *arguments, dir string, show *printer) error {
	messages, theirEnd, err := os.Pipe()
	if err != nil {
		return err
	}
	defer messages.Close()
	logFile := filepath.Join(dir, supervisorLog)
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		theirEnd.Close()
		return err
	}
	defer log.Close()
	// "go run" deletes its binary when we end; /proc/self/exe works before.
	supervisor := exec.Command("/proc/self/exe", a.superviseArgs()...)
	supervisor.Dir = "/" // keeps no folder of the caller's busy
	supervisor.Stdout, supervisor.Stderr = log, log
	supervisor.ExtraFiles = []*os.File{theirEnd}
	supervisor.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // Ctrl-C is for us alone
	alive, err := supervisor.StdinPipe()
	if err != nil {
		theirEnd.Close()
		return err
	}
	err = supervisor.Start()
	theirEnd.Close()
	if err != nil {
		return err
	}
	// Ctrl-C: the input ends, the supervisor clears up, its messages end.
	stop := context.AfterFunc(ctx, func() { alive.Close() })
	err = followMessages(messages, show)
	if !stop() {
		supervisor.Wait()
		return fmt.Errorf("interrupted; nothing is left running")
	}
	if err == nil {
		_, err = io.WriteString(alive, detachWord)
	}
	alive.Close()
	if err != nil {
		supervisor.Wait()
		return fmt.Errorf("%w\nmore in %s and %s", err, filepath.Join(dir, "logs"), logFile)
	}
	return supervisor.Process.Release()
}

// followMessages returns nil once the supervisor says that all is ready.
func followMessages(messages io.Reader, show *printer) error {
	lines := bufio.NewScanner(messages)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var m message
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			return fmt.Errorf("unknown message from the supervisor: %w", err)
		}
		switch {
		case m.Ready:
			return nil
		case m.Error != "":
			return errors.New(m.Error)
		default:
			show.progress(m.Step, m.Detail, m.Elapsed)
		}
	}
	return errors.New("the supervisor ended without a word")
}
