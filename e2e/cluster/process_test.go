package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestParseStartTime(t *testing.T) {
	rest := " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21"
	for _, row := range []struct {
		stat string
		want uint64
		ok   bool
	}{
		{"12 (etcd)" + rest, 4711, true},
		{"12 (a) (b c) )" + rest, 4711, true},
		{"12 (etcd)" + strings.Replace(rest, "S", "Z", 1), 0, false},
		{"12 (etcd) S 1 2", 0, false},
		{"", 0, false},
	} {
		got, err := parseStartTime(row.stat)
		if got != row.want || (err == nil) != row.ok {
			t.Errorf("%q: %d, %v", row.stat, got, err)
		}
	}
}

// Only the very process is signalled, never a later one with its number.
func TestSignalSparesOthers(t *testing.T) {
	command := exec.Command("sleep", "60")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { command.Wait(); close(done) }()
	defer command.Process.Kill()
	id, err := IdentifyProcess(command.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []ProcessID{
		{PID: id.PID, Start: id.Start + 1, Boot: id.Boot},
		{PID: id.PID, Start: id.Start, Boot: "another boot"},
		{},
	} {
		if other.Alive() {
			t.Errorf("%+v is alive", other)
		}
		if err := other.Signal(syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	}
	if !id.Alive() {
		t.Fatal("the process was hit")
	}
	if id.WaitGone(time.Millisecond) == nil {
		t.Error("said to be gone while it runs")
	}
	if err := id.Signal(syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	if err := id.WaitGone(10 * time.Second); err != nil {
		t.Error(err)
	}
	<-done
	if err := id.Signal(syscall.SIGKILL); err != nil {
		t.Errorf("signal to a process that is gone: %v", err)
	}
}

func TestPortsAreClaimedOnce(t *testing.T) {
	claims, err := claimPorts(20)
	if err != nil {
		t.Fatal(err)
	}
	defer releasePorts(claims)
	seen := map[int]bool{}
	for _, claim := range claims {
		if seen[claim.port] || claim.port >= ephemeralStart() {
			t.Errorf("port %d", claim.port)
		}
		seen[claim.port] = true
		listener, err := net.Listen("tcp", claim.address())
		if err != nil {
			t.Errorf("claimed, but not free: %v", err)
			continue
		}
		listener.Close()
	}
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	unlock, err := Lock(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := Lock(ctx, dir, cancel); !errors.Is(err, context.Canceled) {
		t.Errorf("a second holder: %v", err)
	}
	unlock()
	unlock, err = Lock(t.Context(), dir, func() { t.Error("waits for a lock that is free") })
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestJanitor(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "with blank")
	if err := os.MkdirAll(filepath.Join(dir, "a"), 0o700); err != nil {
		t.Fatal(err)
	}
	j, err := startJanitor(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("cleaned while in use: %v", err)
	}
	if err := j.clean(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: %v", dir, err)
	}
}

// playParent in the environment makes this test binary a parent with a
// component and data in that folder; TestKilledParent then kills it.
const playParent = "FEMTOKUBELET_TEST_PLAY_PARENT"

func TestMain(m *testing.M) {
	if dir := os.Getenv(playParent); dir != "" {
		if err := parent(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func parent(dir string) error {
	data := filepath.Join(dir, "data")
	if _, err := startJanitor(data); err != nil {
		return err
	}
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	p, err := newSpawner().startProcess("/bin/sleep", "sleep", []string{"60"}, dir, dir)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(p.id); err != nil {
		return err
	}
	<-p.done
	return nil
}

func TestKilledParent(t *testing.T) {
	dir := t.TempDir()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), playParent+"="+dir)
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	var component ProcessID
	err = json.NewDecoder(output).Decode(&component)
	if err == nil && !component.Alive() {
		t.Error("the component does not run")
	}
	command.Process.Kill()
	command.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if err := component.WaitGone(10 * time.Second); err != nil {
		t.Errorf("the component outlives its parent: %v", err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		if _, err := os.Stat(filepath.Join(dir, "data")); errors.Is(err, fs.ErrNotExist) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the data outlives the parent")
		}
		time.Sleep(10 * time.Millisecond)
	}
}
