package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"sigs.k8s.io/yaml"

	"femtokubelet.dev/e2e/board"
	"femtokubelet.dev/e2e/cluster"
	"femtokubelet.dev/e2e/lab"
)

const (
	node = "demo-board"
	// patience bounds each step; a loaded machine takes many times the usual.
	patience = 90 * time.Second
	// port of the API server as the board sees it.
	port = 6443
)

type demo struct {
	access  *cluster.Access
	kubectl string // how the user calls it
	dir     string
	screen  *screen

	lab    *lab.Lab   // nil: QEMU's user network
	cable  *lab.Cable // nil as well
	server string     // URL that the board is told

	address   string       // of the board's port, as the Node names it
	forwarded string       // where this machine reaches it
	entrance  net.Listener // of the lab; nil: none
	board     *board.Board
}

// show tells the story, up to where the user goes on alone.
func (d *demo) show(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		d.openNetwork, d.allow, d.boot, d.provision, d.join, d.conditions, d.renewals,
		d.port, d.scrape, d.configure, d.pullCable, d.status,
	} {
		ctx, cancel := context.WithTimeout(ctx, patience)
		err := step(ctx)
		cancel()
		if err != nil {
			return err
		}
	}
	d.lookFurther()
	return nil
}

func (d *demo) close() error {
	var errs []error
	if d.board != nil {
		errs = append(errs, d.board.Kill())
	}
	if d.entrance != nil {
		errs = append(errs, d.entrance.Close())
	}
	if d.lab != nil {
		errs = append(errs, d.lab.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(d.dir))...)
}

func (d *demo) openNetwork(ctx context.Context) error {
	d.screen.section("A network for a board")
	apiserver, err := url.Parse(d.access.URL())
	if err != nil {
		return err
	}
	l, err := lab.Open(ctx, lab.Options{})
	if errors.Is(err, lab.ErrNotAllowed) {
		d.server = "https://" + board.HostIP + ":" + apiserver.Port()
		d.screen.print(fmt.Sprintf("This machine allows you no network namespace, so there is no bridge and no DHCP server\n"+
			"of our own: QEMU's built-in network takes their place. All else is the same.\n(%v)", err))
		return nil
	}
	if err != nil {
		return err
	}
	d.lab = l
	if _, err = l.Forward(port, apiserver.Host); err != nil {
		return err
	}
	if d.cable, err = l.Plug(ctx, "board0"); err != nil {
		return err
	}
	d.server = fmt.Sprintf("https://%s:%d", lab.ServerName, port)
	d.screen.print("A namespace of its own: a bridge, DHCP and DNS on " + lab.Gateway +
		", and behind that router the control\nplane: " + d.server)
	return nil
}

func (d *demo) boot(ctx context.Context) error {
	d.screen.section("A board in QEMU (mps2-an385, Cortex-M3), never used before: its console, live")
	if err := os.RemoveAll(d.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return err
	}
	opts := board.Options{OnLine: d.screen.console, Wrap: alone}
	if d.cable != nil {
		opts.Network = d.cable.QEMU(board.NetworkID)
	}
	var err error
	if d.cable == nil {
		if opts.Network, err = d.userNetwork(); err != nil {
			return err
		}
	}
	if d.board, err = board.New(d.dir, opts); err != nil {
		return err
	}
	if err := d.board.Start(); err != nil {
		return err
	}
	if err := d.says(ctx, 0, "waiting for settings"); err != nil {
		return err
	}
	return d.says(ctx, 0, "LED pattern=booting")
}

// alone keeps Ctrl-C away from a command: it is we who switch the board off.
func alone(command *exec.Cmd) { command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// says waits for a line of the console that has the text in it.
func (d *demo) says(ctx context.Context, from board.Mark, text string) error {
	_, err := d.board.Wait(ctx, from, func(l board.Line) bool { return strings.Contains(l.Text, text) })
	if err != nil {
		return fmt.Errorf("the board did not say %q: %w", text, err)
	}
	return nil
}

func (d *demo) consolePath() string    { return filepath.Join(d.dir, "console") }
func (d *demo) kubeconfigPath() string { return filepath.Join(d.dir, "kubeconfig") }

func (d *demo) provision(ctx context.Context) error {
	d.screen.section("It is told where it belongs, over its console")
	if err := d.writeKubeconfig(d.kubeconfigPath()); err != nil {
		return err
	}
	d.screen.mute(true)
	defer d.screen.mute(false)
	hungUp, err := d.board.Lend(ctx, d.consolePath())
	if err != nil {
		return err
	}
	from := d.board.Now()
	args := []string{"--unix", d.consolePath(), "--kubeconfig", d.kubeconfigPath(), "--set", "log-level=debug", "--show", "--reboot"}
	args = append(args, d.portSettings()...)
	command := exec.CommandContext(ctx, "tools/provision", args...)
	d.screen.print("$ " + strings.Join(command.Args, " "))
	if err := d.runLive(command); err != nil {
		return fmt.Errorf("tools/provision: %w", err)
	}
	if err := hungUp(); err != nil {
		return err
	}
	return d.says(ctx, from, "reset=reboot")
}

// runLive shows each line that a command prints as it comes.
func (d *demo) runLive(command *exec.Cmd) error {
	output, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	command.Stderr = command.Stdout
	command.Env = append(os.Environ(), "PYTHONUNBUFFERED=1")
	if err := command.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		d.screen.print(lines.Text())
	}
	return command.Wait()
}

// writeKubeconfig is the node's own, with the server as the board sees it, and
// as JSON: Python reads no YAML by itself.
func (d *demo) writeKubeconfig(path string) error {
	from, err := d.access.NodeKubeconfig(node)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	text, err = yaml.YAMLToJSON([]byte(strings.Replace(string(text), d.access.URL(), d.server, 1)))
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

func (d *demo) join(ctx context.Context) error {
	if err := d.says(ctx, 0, "lease claimed"); err != nil {
		return err
	}
	if err := d.ready(ctx, "true"); err != nil {
		return err
	}
	return d.kubectlSection(ctx, "get", "nodes", "-o", "wide")
}

// ready waits for what the Node's Ready condition is.
func (d *demo) ready(ctx context.Context, is string) error {
	_, err := d.access.KubectlContext(ctx, "", "wait", "--for=condition=Ready="+is, "node/"+node, "--timeout="+patience.String())
	return err
}

// kubectlSection runs kubectl as a section of its own.
func (d *demo) kubectlSection(ctx context.Context, args ...string) error {
	d.screen.section("kubectl " + strings.Join(args, " "))
	output, err := d.access.KubectlContext(ctx, "", args...)
	d.screen.print(output)
	return err
}
