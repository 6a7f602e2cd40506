package node

import (
	"os"
	"strings"
	"testing"
	"time"
)

// settings are what an operator says about a node, in no body's own terms.
type settings struct {
	Name         string
	Kubeconfig   string        // path
	ServerName   string        // in the server's certificate, where bodies see it at another address
	StatusUpdate time.Duration // zero: the node's default, as in all of these
	StatusReport time.Duration
	LeaseSeconds int
	Labels       map[string]string
	Extra        []string // flags, for bodies that have flags
	Env          []string
}

// Body is one node, however it is made to run. A body may be started again
// after it ended.
type Body interface {
	Kind() *kind
	Start(t *testing.T, s settings)
	// Stop asks the node to leave the cluster, and returns its exit code when
	// it has ended. Only of bodies that canLeave.
	Stop(t *testing.T) int
	// Kill ends the node without giving it a chance to say anything.
	Kill(t *testing.T)
	// Journal is what the node logged, over all of its lives.
	Journal() *journal
	// CheckHealth fails unless the node of the last Start lives on, unbroken,
	// and has kept within its bounds.
	CheckHealth(t *testing.T)
}

// trait is what a case needs of a body.
type trait uint

const (
	hasFlags   trait = 1 << iota // takes settings.Extra; refuses to start with an exit code
	hasProcess                   // has a /proc/PID on this machine, and signals
	hasTokens                    // takes bearer tokens
	hasClock                     // knows the time before a server told it
	hasRSAKeys                   // may have an RSA key of its own
	canLeave                     // can be asked to leave the cluster in good order
	isBoard                      // has a reset button, a cable and a console: is a *circuit
)

// lacks says why a case that needs a trait is not for bodies without it.
var lacks = map[trait]string{
	hasFlags:   "it has no flags and no exit code",
	hasProcess: "it is no process of this machine",
	hasTokens:  "it takes certificates only",
	hasClock:   "it has no clock before the first reply",
	hasRSAKeys: "it knows no RSA key of its own",
	canLeave:   "its power is cut: it has no goodbye",
	isBoard:    "it has no reset button, cable or console",
}

// kind is what bodies of one make have in common.
type kind struct {
	name      string
	traits    trait
	make      func() Body
	resources string        // capacity, as checkResources prints it
	address   string        // InternalIP
	slow      time.Duration // what Start may take longer than a process does
	cutStep   int           // bytes between the places where replies are cut
}

func (k *kind) has(wanted trait) bool { return k.traits&wanted == wanted }

var kinds = []*kind{linux, qemu}

// leave asks a node to leave, if there is a way to ask it.
func leave(t *testing.T, b Body) {
	t.Helper()
	if !b.Kind().has(canLeave) {
		return
	}
	if code := b.Stop(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// onBodies runs a story in parallel to others, once for each body that has
// what it needs. Name is a good name for the node.
func onBodies(t *testing.T, needs trait, story func(t *testing.T, b Body, name string)) {
	t.Helper()
	t.Parallel()
	if testing.Short() {
		t.Skip("runs nodes")
	}
	only := os.Getenv("BODY") // the name of one
	for _, kind := range kinds {
		if !kind.has(needs) || only != "" && only != kind.name {
			continue
		}
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			story(t, kind.make(), nodeName(t))
		})
	}
}

// nodeName makes a node's name of the test's.
func nodeName(t *testing.T) string {
	name := strings.ToLower(strings.TrimPrefix(t.Name(), "Test"))
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, name)
}
