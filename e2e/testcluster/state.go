package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"femtokubelet.dev/e2e/cluster"
)

// The folder of one cluster holds logs/ and, while it lives, run-ID/ with a
// state file that says whose it is. The package cluster makes both folders.
const (
	stateName = "state.json"
	runGlob   = "run-*"

	// stopWait bounds a supervisor's good order before it is killed.
	stopWait = 15 * time.Second
	// leftoverWait bounds how long the kernel takes to end killed components.
	leftoverWait = 10 * time.Second
)

// state is what the commands know of a running cluster.
type state struct {
	Supervisor cluster.ProcessID            `json:"supervisor"`
	Components map[string]cluster.ProcessID `json:"components"`
	Started    time.Time                    `json:"started"`

	runDir string
}

// clusterDir makes the folder of the cluster of that name.
func clusterDir(name string) (string, error) {
	base := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(base) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("no place for the state: set HOME or XDG_STATE_HOME (%w)", err)
		}
		base = filepath.Join(home, ".local", "state")
	}
	dir := filepath.Join(base, "femtokubelet", "testcluster", name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	// It was there before? Then its mode is not known.
	return dir, os.Chmod(dir, 0o700)
}

func writeState(c *cluster.Cluster) error {
	self, err := cluster.IdentifyProcess(os.Getpid())
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(state{Supervisor: self, Components: c.Processes(), Started: time.Now()}, "", "  ")
	if err != nil {
		return err
	}
	// A reader sees the whole file or none.
	tmp := filepath.Join(c.RunDir(), "."+stateName)
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(c.RunDir(), stateName))
}

func readState(runDir string) (*state, error) {
	data, err := os.ReadFile(filepath.Join(runDir, stateName))
	if err != nil {
		return nil, err
	}
	s := &state{runDir: runDir}
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(runDir, stateName), err)
	}
	return s, nil
}

// findRunning returns the state of the cluster that runs in dir, or nil.
func findRunning(dir string) (*state, error) {
	runs, err := filepath.Glob(filepath.Join(dir, runGlob))
	if err != nil {
		return nil, err
	}
	for _, run := range runs {
		if s, err := readState(run); err == nil && s.Supervisor.Alive() {
			return s, nil
		}
	}
	return nil, nil
}

// removeStale ends and removes what a killed supervisor may have left in dir.
// The caller holds the folder's lock and has found no running cluster.
func removeStale(dir string) (removed int, err error) {
	runs, err := filepath.Glob(filepath.Join(dir, runGlob))
	if err != nil {
		return 0, err
	}
	for _, run := range runs {
		if s, err := readState(run); err == nil {
			if err := killComponents(s); err != nil {
				return removed, err
			}
		}
		if err := os.RemoveAll(run); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}

func killComponents(s *state) error {
	var errs []error
	for _, id := range s.Components {
		errs = append(errs, id.Signal(syscall.SIGKILL))
	}
	for name, id := range s.Components {
		if err := id.WaitGone(leftoverWait); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// stopSupervisor ends a cluster by its supervisor, in good order if possible.
func stopSupervisor(s *state) error {
	if err := s.Supervisor.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if s.Supervisor.WaitGone(stopWait) == nil {
		return nil
	}
	if err := s.Supervisor.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	return s.Supervisor.WaitGone(leftoverWait)
}

// lockDir keeps other up and down commands for the same cluster away.
func lockDir(ctx context.Context, dir string) (unlock func(), err error) {
	return cluster.Lock(ctx, dir, func() {
		fmt.Fprintln(os.Stderr, "testcluster: waiting for another up or down of this cluster")
	})
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
