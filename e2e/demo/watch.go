package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"text/tabwriter"
	"time"
)

func (d *demo) conditions(ctx context.Context) error {
	d.screen.section("The board's conditions")
	const template = `{range .status.conditions[*]}{.type}{"\t"}{.status}{"\t"}{.reason}{"\t"}{.message}{"\n"}{end}`
	output, err := d.access.KubectlContext(ctx, "", "get", "node", node, "-o", "jsonpath="+template)
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, output)
	w.Flush()
	d.screen.print(table.String())
	return err
}

func (d *demo) renewals(ctx context.Context) error {
	d.screen.section("Its Lease, renewed every 10 s (two renewals)")
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	command := exec.CommandContext(ctx, d.access.KubectlPath(), "get", "lease", "-n", "kube-node-lease", node, "--watch",
		"-o", "custom-columns=NAME:.metadata.name,HOLDER:.spec.holderIdentity,RENEWED:.spec.renewTime")
	command.Env = d.access.KubectlEnv()
	output, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(output)
	shown := 0
	for shown < 4 && lines.Scan() { // a heading, what is, two renewals
		d.screen.print(lines.Text())
		shown++
	}
	cancel()
	command.Wait()
	if shown < 4 {
		return errors.New("the Lease was not renewed twice")
	}
	return nil
}

// plug pulls the cable, or puts it in again: at the chip, and at the bridge.
func (d *demo) plug(ctx context.Context, in bool) error {
	if d.cable != nil {
		if err := d.cable.SetUp(ctx, in); err != nil {
			return err
		}
	}
	return d.board.Link(in)
}

func (d *demo) pullCable(ctx context.Context) error {
	d.screen.section("The cable is pulled (this cluster calls a node NotReady after 20 s of silence)")
	from := d.board.Now()
	if err := d.plug(ctx, false); err != nil {
		return err
	}
	if err := d.says(ctx, from, "LED pattern=disconnected"); err != nil {
		return err
	}
	if err := d.ready(ctx, "unknown"); err != nil {
		return err
	}
	if err := d.kubectlSection(ctx, "get", "nodes"); err != nil {
		return err
	}
	d.screen.section("The cable is put back")
	from = d.board.Now()
	if err := d.plug(ctx, true); err != nil {
		return err
	}
	began := time.Now()
	if err := d.ready(ctx, "true"); err != nil {
		return err
	}
	took := time.Since(began)
	if err := d.says(ctx, from, "LED pattern=healthy"); err != nil {
		return err
	}
	d.screen.print(fmt.Sprintf("Ready again after %.1f s.", took.Seconds()))
	return nil
}

// status is typed at the console, whose lines are on the screen anyway.
func (d *demo) status(ctx context.Context) error {
	d.screen.section("What the board says of itself (docs/board.md explains each line)")
	_, err := d.board.Command(ctx, "status")
	return err
}

func (d *demo) lookFurther() {
	d.screen.section("Look further")
	d.screen.print(fmt.Sprintf(`  tools/board console unix:%s   # type at it: help, status, reboot; Ctrl-] leaves
  tools/provision --unix %s --kubeconfig %s --reboot   # after a factory-reset
  %s describe node %s
  %s delete node %s     # it comes back
  docs/board.md      a board and a cluster of your own`,
		d.consolePath(), d.consolePath(), d.kubeconfigPath(), d.kubectl, node, d.kubectl, node))
}

// stay shows the console until the user has seen enough, and lends it to
// whoever connects.
func (d *demo) stay(ctx context.Context) error {
	d.screen.print("\nThe board's console goes on below. Ctrl-C takes everything down.\n")
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		for d.board.Running() && ctx.Err() == nil {
			time.Sleep(time.Second)
		}
		cancel(errors.New("QEMU has ended"))
	}()
	for ctx.Err() == nil {
		hungUp, err := d.board.Lend(ctx, d.consolePath())
		if err != nil {
			return err
		}
		if err := hungUp(); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return context.Cause(ctx)
}
