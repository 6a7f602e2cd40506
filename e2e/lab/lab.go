// Package lab is a network of one's own for boards: a Linux network namespace
// with a bridge, DHCP and DNS, a way to the control plane, and faults on
// demand. It needs no privileges where users may make namespaces. Nothing in
// it can reach another machine: there is no route out, and only the ports that
// Forward opens lead to this one. It ends with the process that opened it,
// also when that is killed.
package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"femtokubelet.dev/e2e/cluster"
	"femtokubelet.dev/e2e/wire"
)

// Addresses are the same in every lab; labs do not see each other.
const (
	// Gateway is what the bridge has: router, DHCP and DNS server.
	Gateway = cluster.LabGatewayIP
	// Server is where the control plane seems to be, one hop behind Gateway,
	// so that a board needs its default route. The API server's certificate
	// covers both addresses and the name.
	Server     = cluster.LabServerIP
	ServerName = cluster.LabServerName

	Domain   = "lab.test"
	maskBits = "/24"
	bridge   = "lab0"
	// bridgeMAC is fixed: else it would change with the ports, and every ARP
	// cache be wrong.
	bridgeMAC = "02:00:0a:63:00:01"
)

// Options of a lab. The zero value is useful.
type Options struct {
	// Log receives dnsmasq's log, a line per DHCP message and DNS query.
	Log io.Writer
	// Seed decides what Impair does to which frame.
	Seed uint64
}

// Lab is a network. Its methods may be called from several goroutines.
type Lab struct {
	*space
	opts Options

	mu      sync.Mutex
	cables  []*Cable
	proxies []*wire.Proxy
	server  dnsmasq
	answers *responder // nil: dnsmasq answers DNS queries
}

// Open makes a lab with a DHCP and DNS server in it, and no board yet. The
// error is ErrNotAllowed if this user may not do so.
func Open(ctx context.Context, opts Options) (*Lab, error) {
	for _, tool := range []string{"nsenter", "ip", "dnsmasq"} {
		if !installed(tool) {
			return nil, fmt.Errorf("the network lab needs %s; tools/setup installs it", tool)
		}
	}
	space, err := newSpace()
	if err != nil {
		return nil, err
	}
	l := &Lab{space: space, opts: opts}
	err = space.ip(ctx,
		"link set lo up",
		"address add "+Server+"/32 dev lo",
		"link add "+bridge+" address "+bridgeMAC+" type bridge mcast_snooping 0",
		"address add "+Gateway+maskBits+" dev "+bridge,
		"link set "+bridge+" up")
	if err != nil && space.user && strings.Contains(err.Error(), "not permitted") {
		err = fmt.Errorf("%w: %w", ErrNotAllowed, err) // a namespace, but without power
	}
	if err == nil {
		err = l.SetDHCP(DHCP{})
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func installed(tool string) bool {
	for _, dir := range strings.Split(searchPath(), ":") {
		if _, err := exec.LookPath(dir + "/" + tool); dir != "" && err == nil {
			return true
		}
	}
	return false
}

// New is Open for a test, and closes the lab at its end. The test is skipped
// where an ordinary user may not have a lab; root may, and so must CI.
func New(t testing.TB) *Lab {
	t.Helper()
	l, err := Open(t.Context(), Options{Log: t.Output()})
	if errors.Is(err, ErrNotAllowed) && os.Getenv("CI") == "" && os.Geteuid() != 0 {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// Forward makes target, a "host:port" of this machine, reachable in the lab at
// the port given of Server and of Gateway. The proxy cuts, resets and refuses.
func (l *Lab) Forward(port int, target string) (*wire.Proxy, error) {
	p, err := wire.StartOn(target, fmt.Sprintf(":%d", port), l.Listen)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.proxies = append(l.proxies, p)
	return p, nil
}

// SetRoute(ctx, false) takes Server's address away: the gateway answers that
// the network is unreachable. Connections and listeners stay.
func (l *Lab) SetRoute(ctx context.Context, there bool) error {
	return l.ip(ctx, "address "+verb(there)+" "+Server+"/32 dev lo")
}

// SetGateway(ctx, false) takes the gateway's address away: nobody answers ARP
// queries for it, and with it DNS and the way to Server are gone.
func (l *Lab) SetGateway(ctx context.Context, there bool) error {
	return l.ip(ctx, "address "+verb(there)+" "+Gateway+maskBits+" dev "+bridge)
}

func verb(there bool) string {
	if there {
		return "replace"
	}
	return "delete"
}

// Close ends the lab and all that runs in it.
func (l *Lab) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, p := range l.proxies {
		errs = append(errs, p.Close())
	}
	for _, c := range l.cables {
		errs = append(errs, c.close())
	}
	if l.answers != nil {
		l.answers.close()
	}
	errs = append(errs, l.server.stop(), l.space.close())
	return errors.Join(errs...)
}
