package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"femtokubelet.dev/e2e/cluster"
)

func TestParseArgs(t *testing.T) {
	for _, row := range []struct {
		line string
		want arguments
	}{
		{"up", arguments{command: "up", name: "default"}},
		{"up --name two --grace 8s --audit --rsa --foreground",
			arguments{command: "up", name: "two", grace: 8 * time.Second, audit: true, rsa: true, foreground: true}},
		{"up --san a,10.0.0.1 --san b", arguments{command: "up", name: "default", sans: []string{"a", "10.0.0.1", "b"}}},
		{"--name two down", arguments{command: "down", name: "two"}},
		{"status --name=two", arguments{command: "status", name: "two"}},
		{"kubeconfig", arguments{command: "kubeconfig", name: "default"}},
		{"kubeconfig --admin --raw", arguments{command: "kubeconfig", name: "default", raw: true}},
		{"kubeconfig --node rack-1", arguments{command: "kubeconfig", name: "default", node: "rack-1"}},
		{"build", arguments{command: "build", name: "default"}},
		{"route", arguments{command: "route", name: "default"}},
		{"route --name two 10.0.2.15:10250 127.0.0.1:34567", arguments{command: "route", name: "two",
			address: "10.0.2.15:10250", target: "127.0.0.1:34567"}},
		{"route --delete 10.0.2.15:10250", arguments{command: "route", name: "default", address: "10.0.2.15:10250"}},
		{"kubectl get pods -A --name", arguments{command: "kubectl", name: "default",
			kubectl: []string{"get", "pods", "-A", "--name"}}},
		{"kubectl --name two -n x get pods", arguments{command: "kubectl", name: "two",
			kubectl: []string{"-n", "x", "get", "pods"}}},
	} {
		got, err := parseArgs(strings.Fields(row.line))
		if err != nil {
			t.Errorf("%s: %v", row.line, err)
			continue
		}
		if len(got.kubectl) == 0 {
			got.kubectl = nil
		}
		if !reflect.DeepEqual(*got, row.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", row.line, *got, row.want)
		}
	}
}

func TestParseArgsRefuses(t *testing.T) {
	for line, want := range map[string]string{
		"":                                "no command",
		"upp":                             `unknown command "upp"`,
		"up now":                          `takes no argument "now"`,
		"up --grace soon":                 "grace",
		"up --grace 1s":                   "at least 2s",
		"up --name ../x":                  "--name",
		"up --name " + "Big":              "lower-case",
		"down --grace 8s":                 "not defined",
		"kubeconfig --admin --node n":     "only one of",
		"kubeconfig --node n --bootstrap": "only one of",
		"route 10.0.2.15:10250":           "takes no argument",
		"route --delete a:1 b:2 c:3":      "takes no argument",
		"kubeconfig --node Rack":          "lower-case",
		"kubectl --name ../x get nodes":   "--name",
	} {
		if _, err := parseArgs(strings.Fields(line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", line, err, want)
		}
	}
	for _, line := range []string{"help", "--help", "up --help", "-h"} {
		if _, err := parseArgs(strings.Fields(line)); !errors.Is(err, flag.ErrHelp) {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// The supervisor gets every option that up was given.
func TestSuperviseArgs(t *testing.T) {
	given, err := parseArgs(strings.Fields(
		"up --name two --grace 8s --audit --rsa --san a,b --verify-kubelets --no-bootstrap-rbac"))
	if err != nil {
		t.Fatal(err)
	}
	given.binary = "/cache/controlplane-1"
	got, err := parseArgs(given.superviseArgs())
	if err != nil {
		t.Fatal(err)
	}
	got.command = given.command
	if !reflect.DeepEqual(got, given) {
		t.Errorf("\n got %+v\nwant %+v", got, given)
	}
	plain, err := parseArgs([]string{"up"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err = parseArgs(plain.superviseArgs()); err != nil || len(got.sans) != 0 {
		t.Errorf("names from nowhere: %q, %v", got.sans, err)
	}
}

func TestMonitorPeriod(t *testing.T) {
	for grace, want := range map[time.Duration]time.Duration{
		0: 0, 2 * time.Second: 500 * time.Millisecond, 8 * time.Second: time.Second, time.Hour: 5 * time.Second,
	} {
		if got := monitorPeriod(grace); got != want {
			t.Errorf("grace %v: %v, want %v", grace, got, want)
		}
	}
}

func TestPrinter(t *testing.T) {
	now := time.Unix(0, 0)
	var plain, terminal bytes.Buffer
	p := &printer{out: &plain, now: func() time.Time { return now }}
	for second := range 12 {
		now = time.Unix(int64(second), 0)
		p.progress("building", "", time.Duration(second)*time.Second)
	}
	p.progress("starting", "", 0)
	p.finish()
	if want := "building\nbuilding: 5s\nbuilding: 10s\nstarting\n"; plain.String() != want {
		t.Errorf("plain: %q, want %q", plain.String(), want)
	}
	p = &printer{out: &terminal, terminal: true, now: time.Now}
	p.progress("building", "7 packages", 2*time.Second)
	p.finish()
	p.finish()
	if want := "\r\x1b[Kbuilding: 2s, 7 packages\r\x1b[K"; terminal.String() != want {
		t.Errorf("terminal: %q, want %q", terminal.String(), want)
	}
}

func TestClusterDirIsPrivate(t *testing.T) {
	base := t.TempDir()
	t.Setenv("XDG_STATE_HOME", base)
	path := filepath.Join(base, "femtokubelet", "testcluster", "two")
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := clusterDir("two")
	if err != nil || dir != path {
		t.Fatalf("%s, %v; want %s", dir, err, path)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// What a killed supervisor leaves goes; other processes, logs and folders stay.
func TestRemoveStale(t *testing.T) {
	dir := t.TempDir()
	mine, other := sleeper(t), sleeper(t)
	reused := other
	reused.Start++ // other has got the number of a component that is gone
	stale := filepath.Join(dir, "run-STALE")
	half := filepath.Join(dir, "run-HALF") // killed before it wrote its state
	logs := filepath.Join(dir, "logs")
	for _, d := range []string{stale, half, logs} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	data, err := json.Marshal(state{Supervisor: reused,
		Components: map[string]cluster.ProcessID{"etcd": mine, "kube-apiserver": reused}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(stale, stateName), data, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := findRunning(dir); s != nil || err != nil {
		t.Fatalf("a dead supervisor counts as running: %+v, %v", s, err)
	}
	removed, err := removeStale(dir)
	if err != nil || removed != 2 {
		t.Errorf("removed %d, %v; want 2", removed, err)
	}
	if mine.Alive() || !other.Alive() {
		t.Errorf("component alive: %v; unrelated process alive: %v", mine.Alive(), other.Alive())
	}
	if exists(stale) || exists(half) || !exists(logs) {
		t.Error("wrong folders removed")
	}
}

func sleeper(t *testing.T) cluster.ProcessID {
	t.Helper()
	command := exec.Command("sleep", "300")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { command.Wait(); close(done) }()
	t.Cleanup(func() { command.Process.Kill(); <-done })
	id, err := cluster.IdentifyProcess(command.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestUsageNamesEveryFlag(t *testing.T) {
	for _, command := range []string{"up", "kubeconfig", "route"} {
		a := &arguments{command: command}
		flags := newFlags(command, a)
		if _, err := a.commandFlags(flags); err != nil {
			t.Fatal(err)
		}
		words := strings.Fields(usageText)
		flags.VisitAll(func(f *flag.Flag) {
			if !slices.Contains(words, "--"+f.Name) {
				t.Errorf("%s: --%s is not in the usage text", command, f.Name)
			}
		})
	}
}
