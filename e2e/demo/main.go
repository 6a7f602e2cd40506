// Demo is the board's part of tools/demo, which has brought up a control plane
// and a host node: it boots the firmware in QEMU, plugged into a network lab,
// provisions it, and shows what becomes of it. When it ends, in whatever way,
// nothing is left of board and lab. Linux only.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"femtokubelet.dev/e2e/cluster"
)

const interrupted = 130 // what a shell says of a program that Ctrl-C ended

func main() {
	runDir := flag.String("run-dir", "", "folder of the running cluster, as cluster.Attach wants it")
	kubectl := flag.String("kubectl", "kubectl", "how the user calls kubectl")
	dir := flag.String("dir", "", "folder for the board, made and removed; its path must be short: a socket is in it")
	once := flag.Bool("once", false, "end when all has been shown")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	os.Exit(run(ctx, *runDir, *kubectl, *dir, *once))
}

func run(ctx context.Context, runDir, kubectl, dir string, once bool) int {
	access, err := cluster.Attach(runDir)
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		return 1
	}
	d := &demo{access: access, kubectl: kubectl, dir: dir, screen: newScreen()}
	err = d.show(ctx)
	shown := err == nil
	if shown && !once {
		err = d.stay(ctx)
	}
	interruption := ctx.Err() != nil
	if interruption {
		err = nil // that is why it failed
	}
	err = errors.Join(err, d.close())
	switch {
	case interruption && !shown:
		return interrupted
	case err != nil:
		fmt.Fprintln(os.Stderr, "demo:", err)
		return 1
	}
	return 0
}
