// Command testcluster runs a real Kubernetes control plane for tests; see
// usageText, and e2e/README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const (
	exitFailure    = 1
	exitUsage      = 2
	exitNotRunning = 3
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	a, err := parseArgs(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Print(usageText)
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testcluster:", err)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err = dispatch(ctx, a)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errNotRunning):
		fmt.Fprintln(os.Stderr, "testcluster:", err)
		return exitNotRunning
	}
	fmt.Fprintln(os.Stderr, "testcluster:", err)
	return exitFailure
}

func dispatch(ctx context.Context, a *arguments) error {
	switch a.command {
	case "up":
		return up(ctx, a)
	case superviseCommand:
		return supervise(ctx, a)
	case "down":
		return down(ctx, a)
	case "status":
		return status(a)
	case "kubeconfig":
		return kubeconfig(a)
	case "build":
		return buildAll(ctx)
	case "route":
		return route(a)
	}
	return kubectl(a)
}
