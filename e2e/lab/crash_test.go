package lab

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"femtokubelet.dev/e2e/cluster"
)

const crashVariable = "FEMTOKUBELET_LAB_CRASH"

// TestCrashChild is the program that TestKilled kills.
func TestCrashChild(t *testing.T) {
	if os.Getenv(crashVariable) == "" {
		t.Skip("run by TestKilled")
	}
	l := New(t)
	plug(t, l, "board0")
	web(t, l, 6443)
	inside := l.Command(context.Background(), "sleep", "600")
	outside := exec.Command("sleep", "600")
	for _, command := range []*exec.Cmd{inside, outside} {
		if err := l.Start(command); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Printf("\nlab %s %d %d %d %d\n", l.dir, l.pid, l.server.command.Process.Pid, inside.Process.Pid, outside.Process.Pid)
	select {}
}

// Whatever a lab started and made is gone soon after a kill -9.
func TestKilled(t *testing.T) {
	New(t) // or skip
	child := exec.Command("/proc/self/exe", "-test.run=^TestCrashChild$", "-test.timeout=2m")
	child.Env = append(os.Environ(), crashVariable+"=yes")
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Process.Kill()
	var dir string
	pids := make([]int, 4)
	for lines := bufio.NewScanner(output); dir == "" && lines.Scan(); {
		fmt.Sscanf(lines.Text(), "lab %s %d %d %d %d", &dir, &pids[0], &pids[1], &pids[2], &pids[3])
	}
	if dir == "" {
		t.Fatal("the child made no lab")
	}
	network := must(os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pids[0])))
	if network == must(os.Readlink("/proc/self/ns/net")) {
		t.Error("the lab has no network namespace of its own")
	}
	var ids []cluster.ProcessID
	for _, pid := range pids {
		ids = append(ids, must(cluster.IdentifyProcess(pid)))
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	child.Wait()
	for i, id := range ids {
		if err := id.WaitGone(patience); err != nil {
			t.Errorf("number %d: %v", i, err)
		}
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(dir); os.IsNotExist(err) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is still there", dir)
		}
	}
	if users := usersOf(network); len(users) > 0 {
		t.Errorf("still in the namespace: %v", users)
	}
}

// usersOf lists the processes in a network namespace.
func usersOf(network string) (users []string) {
	links, _ := filepath.Glob("/proc/[0-9]*/ns/net")
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && target == network {
			name, _ := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(link)), "comm"))
			users = append(users, strings.TrimSpace(string(name)))
		}
	}
	return users
}
