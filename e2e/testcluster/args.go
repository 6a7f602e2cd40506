package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"femtokubelet.dev/e2e/cluster"
)

const usageText = `testcluster runs a real Kubernetes control plane on this machine, for tests.

  testcluster up [flags]            start it (the first time, build it: minutes)
  testcluster down                  stop it; logs stay until the next up
  testcluster status                say whether it runs; exit status 3 if not
  testcluster kubeconfig            print the path of the admin's kubeconfig
  testcluster kubeconfig --node N   ... of a kubeconfig for the node called N
  testcluster kubeconfig --bootstrap  ... with a new bootstrap token, for a node
                                    that fetches its own certificate
  testcluster kubectl ARGS...       run kubectl as the admin
  testcluster build                 build all that up and the tests need (minutes),
                                    unless it is there
  testcluster route ADDRESS TARGET  have the API server reach the kubelet at
                                    ADDRESS (10.0.2.15:10250) at TARGET, a port
                                    of this machine (127.0.0.1:34567)
  testcluster route                 list routes

Every command takes --name NAME (default "default"): several clusters run side
by side. For kubectl it comes first: testcluster kubectl --name two get nodes.

Flags of up:
  --grace DURATION     a node silent for that long is NotReady (default 50s)
  --audit              write the API server's audit log, a line per request
  --rsa                RSA-2048 for the CA and the API server's certificate
  --san NAMES          more names or addresses in the API server's certificate
  --verify-kubelets    refuse kubelets without a certificate of the cluster's CA
  --no-bootstrap-rbac  leave out the bindings that bootstrap tokens need
  --foreground         stay; Ctrl-C stops the cluster

Flags of kubeconfig:
  --admin              the admin's (default)
  --node NAME          a node's: system:node:NAME, never more rights than that
  --bootstrap          a new bootstrap token's, valid for a day
  --raw                print the contents rather than the path

Flags of route:
  --delete ADDRESS     take that route away
`

const defaultName = "default"

// errUsage asks main to print the usage text; the message comes first.
var errUsage = errors.New("see testcluster help")

// arguments is the command line, understood.
type arguments struct {
	command string
	name    string

	// up
	grace                           time.Duration
	audit, rsa, foreground          bool
	verifyKubelets, noBootstrapRBAC bool
	sans                            []string

	// kubeconfig
	node      string
	bootstrap bool
	raw       bool

	// route: without an address, list them; with an empty target, delete
	address, target string

	kubectl []string // kubectl's own arguments

	binary string // the control plane, found or built by up
}

func parseArgs(args []string) (*arguments, error) {
	a := &arguments{name: defaultName}
	before := newFlags("testcluster", a)
	if err := before.Parse(args); err != nil {
		return a, flagError(err)
	}
	if before.NArg() == 0 {
		return a, fmt.Errorf("no command given; %w", errUsage)
	}
	a.command = before.Arg(0)
	rest := before.Args()[1:]
	if a.command == "kubectl" {
		return a, a.parseKubectl(rest)
	}
	flags := newFlags(a.command, a)
	admin, err := a.commandFlags(flags)
	if err != nil {
		return a, err
	}
	if err := flags.Parse(rest); err != nil {
		return a, flagError(err)
	}
	if a.command == "route" && flags.NArg() == 2 && a.address == "" {
		a.address, a.target = flags.Arg(0), flags.Arg(1)
	} else if flags.NArg() > 0 {
		return a, fmt.Errorf("%s takes no argument %q; %w", a.command, flags.Arg(0), errUsage)
	}
	return a, a.check(*admin)
}

func newFlags(command string, a *arguments) *flag.FlagSet {
	flags := flag.NewFlagSet(command, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&a.name, "name", a.name, "")
	return flags
}

func flagError(err error) error {
	if errors.Is(err, flag.ErrHelp) {
		return err
	}
	return fmt.Errorf("%w; %w", err, errUsage)
}

// commandFlags adds the flags of one command, or says that there is none such.
func (a *arguments) commandFlags(flags *flag.FlagSet) (admin *bool, err error) {
	admin = new(bool)
	switch a.command {
	case "up", superviseCommand:
		if a.command == superviseCommand {
			flags.StringVar(&a.binary, "binary", "", "")
		}
		flags.DurationVar(&a.grace, "grace", 0, "")
		flags.BoolVar(&a.audit, "audit", false, "")
		flags.BoolVar(&a.rsa, "rsa", false, "")
		flags.BoolVar(&a.foreground, "foreground", false, "")
		flags.BoolVar(&a.verifyKubelets, "verify-kubelets", false, "")
		flags.BoolVar(&a.noBootstrapRBAC, "no-bootstrap-rbac", false, "")
		flags.Func("san", "", func(value string) error {
			a.sans = append(a.sans, strings.FieldsFunc(value, func(r rune) bool { return r == ',' })...)
			return nil
		})
	case "kubeconfig":
		flags.BoolVar(admin, "admin", false, "")
		flags.Func("node", "", func(name string) error {
			a.node = name
			return cluster.CheckNodeName(name) // an empty one, too: never the admin's by mistake
		})
		flags.BoolVar(&a.bootstrap, "bootstrap", false, "")
		flags.BoolVar(&a.raw, "raw", false, "")
	case "route":
		flags.StringVar(&a.address, "delete", "", "")
	case "down", "status", "build":
	case "help":
		return admin, flag.ErrHelp
	default:
		return admin, fmt.Errorf("unknown command %q; %w", a.command, errUsage)
	}
	return admin, nil
}

// parseKubectl takes only a leading --name; all else is kubectl's.
func (a *arguments) parseKubectl(rest []string) error {
	for len(rest) > 0 {
		if value, ok := strings.CutPrefix(rest[0], "--name="); ok {
			a.name, rest = value, rest[1:]
		} else if rest[0] == "--name" && len(rest) > 1 {
			a.name, rest = rest[1], rest[2:]
		} else {
			break
		}
	}
	a.kubectl = rest
	return a.check(false)
}

// A cluster's name is a folder's name.
var clusterName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$`)

func (a *arguments) check(admin bool) error {
	if !clusterName.MatchString(a.name) {
		return fmt.Errorf("--name %q: use up to 40 lower-case letters, digits and '-'", a.name)
	}
	if a.grace < 0 || a.grace > 0 && a.grace < 2*time.Second {
		return fmt.Errorf("--grace %v: at least 2s, or no node is ever ready", a.grace)
	}
	if admin && a.bootstrap || a.node != "" && (admin || a.bootstrap) {
		return fmt.Errorf("only one of --admin, --node and --bootstrap; %w", errUsage)
	}
	return nil
}

// monitorPeriod is how often the controller looks for silent nodes: several
// times per grace period, else a short grace would be a long one.
func monitorPeriod(grace time.Duration) time.Duration {
	const usual = 5 * time.Second // the controller manager's default
	if grace == 0 {
		return 0
	}
	return min(usual, max(grace/8, 500*time.Millisecond))
}

func (a *arguments) options(dir string, progress cluster.Progress) cluster.Options {
	return cluster.Options{
		Dir:               dir,
		NodeMonitorGrace:  a.grace,
		NodeMonitorPeriod: monitorPeriod(a.grace),
		Audit:             a.audit,
		RSA:               a.rsa,
		ExtraSANs:         a.sans,
		VerifyKubelets:    a.verifyKubelets,
		NoBootstrapRBAC:   a.noBootstrapRBAC,
		Binary:            a.binary,
		Progress:          progress,
	}
}

// superviseArgs is the command line of the supervisor that "up" starts.
func (a *arguments) superviseArgs() []string {
	return []string{superviseCommand, "--name=" + a.name, "--binary=" + a.binary,
		"--grace=" + a.grace.String(),
		fmt.Sprintf("--audit=%v", a.audit),
		fmt.Sprintf("--rsa=%v", a.rsa),
		fmt.Sprintf("--verify-kubelets=%v", a.verifyKubelets),
		fmt.Sprintf("--no-bootstrap-rbac=%v", a.noBootstrapRBAC),
		"--san=" + strings.Join(a.sans, ","),
	}
}
