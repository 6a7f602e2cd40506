package kubeletapi

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"femtokubelet.dev/e2e/lab"
	"femtokubelet.dev/e2e/launch"
)

// process is the body of the Linux port: build/release/femtokubelet, or what
// FEMTOKUBELET names, inside of the lab.
type process struct {
	address string
	output  output
	command *exec.Cmd
	done    chan struct{} // closed when command has ended
}

// output keeps what a program prints.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(data []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(data)
}

// tail is its end, in whole lines.
func (o *output) tail(lines int) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := strings.SplitAfter(o.text.String(), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "")
}

func (o *output) contains(text string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Contains(o.text.Bytes(), []byte(text))
}

func binary(t *testing.T) string {
	t.Helper()
	path, err := launch.Program()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func (p *process) flags(t *testing.T, n *node) []string {
	t.Helper()
	args := []string{"--logging-format=json", "-v=4"}
	add := func(name string, value any) { args = append(args, fmt.Sprintf("--%s=%v", name, value)) }
	add("kubeconfig", n.kubeconfig(t, lab.Server))
	add("hostname-override", n.name)
	add("node-ip", p.address)
	add("address", p.address)
	add("root-dir", n.dir)
	s := &n.settings
	if s.LeaseSeconds != 0 {
		add("lease-duration-seconds", s.LeaseSeconds)
	}
	if !s.SelfSigned {
		cert, key := n.serving(t)
		add("tls-cert-file", cert)
		add("tls-private-key-file", key)
	}
	if !s.WithoutClients {
		add("client-ca-file", n.CAFile())
	}
	if !s.NoAPIServer {
		add("api-server-user", apiServerUser)
	}
	if s.NoPort {
		add("port", 0)
	}
	if s.OpenHealth {
		args = append(args, "--anonymous-healthz")
	}
	if s.Remember != 0 {
		add("authentication-token-webhook-cache-ttl", s.Remember)
		add("authorization-webhook-cache-authorized-ttl", s.Remember)
		add("authorization-webhook-cache-unauthorized-ttl", s.Remember)
	}
	if s.ConfigMaps != "" {
		add("config-map", s.ConfigMaps)
	}
	return args
}

func (p *process) start(t *testing.T, n *node) {
	t.Helper()
	first := p.address == ""
	if first {
		p.address = n.host(t)
	}
	// Not t.Context(): that ends before the clean-up does.
	p.command = n.lab.Command(context.Background(), append([]string{binary(t)}, p.flags(t, n)...)...)
	p.command.Stdout, p.command.Stderr = &p.output, &p.output
	p.done = make(chan struct{})
	if err := n.lab.Start(p.command); err != nil {
		t.Fatal(err)
	}
	command, done := p.command, p.done
	go func() {
		command.Wait()
		close(done)
	}()
	t.Cleanup(func() {
		command.Process.Kill() // by handle: never somebody else's process
		<-done
		if first && t.Failed() {
			t.Logf("log of the node:\n%s", p.log())
		}
	})
}

func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.done
}

func (p *process) ip() string { return p.address }

func (p *process) log() string { return p.output.tail(40) }

func (p *process) over() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *process) check(t *testing.T) {
	t.Helper()
	if p.over() {
		t.Fatalf("the node has ended: %v", p.command.ProcessState)
	}
	for _, text := range []string{"internal error", "ERROR: AddressSanitizer", "runtime error:"} {
		if p.output.contains(text) {
			t.Errorf("the node said %q", text)
		}
	}
}
