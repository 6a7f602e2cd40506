package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"femtokubelet.dev/e2e/cluster"
)

// errNotRunning is status's answer; scripts see it as exit status 3.
var errNotRunning = errors.New("not running")

func down(ctx context.Context, a *arguments) error {
	dir, err := clusterDir(a.name)
	if err != nil {
		return err
	}
	unlock, err := lockDir(ctx, dir)
	if err != nil {
		return err
	}
	defer unlock()
	s, err := findRunning(dir)
	if err != nil {
		return err
	}
	if s != nil {
		if err := stopSupervisor(s); err != nil {
			return err
		}
	}
	removed, err := removeStale(dir)
	if err != nil {
		return fmt.Errorf("remove the rest of the cluster: %w", err)
	}
	if s == nil && removed == 0 {
		fmt.Printf("cluster %q is not running\n", a.name)
		return nil
	}
	fmt.Printf("cluster %q is down; its logs stay in %s\n", a.name, filepath.Join(dir, "logs"))
	return nil
}

func status(a *arguments) error {
	dir, err := clusterDir(a.name)
	if err != nil {
		return err
	}
	s, err := findRunning(dir)
	if err != nil {
		return err
	}
	if s == nil {
		return notRunning(a, dir)
	}
	if err := printUp(a, s.runDir); err != nil {
		return err
	}
	fmt.Printf("  running for %v, supervisor pid %d\n", time.Since(s.Started).Round(time.Second), s.Supervisor.PID)
	names := make([]string, 0, len(s.Components))
	for name := range s.Components {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		what := "runs"
		if !s.Components[name].Alive() {
			what = "has ended"
		}
		fmt.Printf("  %-24s pid %-7d %s\n", name, s.Components[name].PID, what)
	}
	return nil
}

func notRunning(a *arguments, dir string) error {
	hint := "start it with: testcluster up --name " + a.name
	if logs := filepath.Join(dir, "logs"); exists(logs) {
		hint += "; logs of the last run: " + logs
	}
	return fmt.Errorf("cluster %q is %w; %s", a.name, errNotRunning, hint)
}

// attach finds the running cluster of the command line.
func attach(a *arguments) (*cluster.Access, error) {
	dir, err := clusterDir(a.name)
	if err != nil {
		return nil, err
	}
	s, err := findRunning(dir)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return nil, notRunning(a, dir)
	}
	return cluster.Attach(s.runDir)
}

func kubeconfig(a *arguments) error {
	access, err := attach(a)
	if err != nil {
		return err
	}
	path := access.Kubeconfig()
	if a.node != "" {
		path, err = access.NodeKubeconfig(a.node)
	} else if a.bootstrap {
		path, err = access.BootstrapKubeconfig()
	}
	if err != nil {
		return err
	}
	if !a.raw {
		fmt.Println(path)
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(data)
	return err
}

// buildAll builds one after the other: each takes all processors.
func buildAll(ctx context.Context) error {
	show := newPrinter(os.Stderr)
	defer show.finish()
	if _, err := cluster.EnsureBinary(ctx, show.progress); err != nil {
		return err
	}
	_, err := cluster.EnsureMetricsServer(ctx, show.progress)
	return err
}

func route(a *arguments) error {
	access, err := attach(a)
	if err != nil {
		return err
	}
	if a.address != "" {
		return access.Route(a.address, a.target)
	}
	routes, err := access.Routes()
	for _, address := range slices.Sorted(maps.Keys(routes)) {
		fmt.Println(address, routes[address])
	}
	return err
}

// kubectl becomes kubectl, so that signals, the terminal and the exit status
// are its own.
func kubectl(a *arguments) error {
	access, err := attach(a)
	if err != nil {
		return err
	}
	path := access.KubectlPath()
	return fmt.Errorf("run %s: %w", path, syscall.Exec(path, append([]string{"kubectl"}, a.kubectl...), access.KubectlEnv()))
}
