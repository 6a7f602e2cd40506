package lab

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// DHCP is what the server does. The zero value is an ordinary server.
type DHCP struct {
	// Off: no server answers.
	Off bool
	// From and To are the addresses to hand out, within 10.99.0.0/24. A client
	// that asks for another one is refused (DHCPNAK). Empty: .100 to .199.
	From, To string
	// Lease is how long an address is given for; dnsmasq makes it two minutes
	// at least. Zero: an hour.
	Lease time.Duration
	// Renew is when the client should renew (option 58, in whole seconds), to
	// see renewals without waiting for half of a lease. Zero: half of Lease.
	Renew time.Duration
}

const (
	leaseFile = "leases"
	// startWait bounds dnsmasq's start; 20 ms are usual.
	startWait = 20 * time.Second
	lastLines = 20
)

// dnsmasq is the DHCP and DNS server, started anew for every change: leases
// are in a file.
type dnsmasq struct {
	dhcp    DHCP
	command *exec.Cmd
	done    chan struct{} // closed when it has ended and been waited for
	recent  []string      // of its log; valid once done is closed
}

// SetDHCP changes the DHCP server.
func (l *Lab) SetDHCP(d DHCP) error {
	if d.From == "" {
		d.From, d.To = "10.99.0.100", "10.99.0.199"
	}
	if d.Lease == 0 {
		d.Lease = time.Hour
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.server.dhcp = d
	return l.restart()
}

// restart applies the settings. l.mu is held.
func (l *Lab) restart() error {
	if err := l.server.stop(); err != nil {
		return err
	}
	return l.server.start(l.space, l.answers == nil, l.opts.Log)
}

func (d *dnsmasq) args(s *space, dns bool) []string {
	args := []string{
		"dnsmasq", "--keep-in-foreground", "--log-facility=-", "--conf-file=/dev/null", "--pid-file=",
		// Only root is in the user namespace; an empty group is to stay what it is.
		"--user=root", "--group=",
		"--interface=" + bridge, "--except-interface=lo", "--bind-interfaces",
		"--no-resolv", "--no-hosts", "--no-poll", "--log-queries", "--log-dhcp",
		"--domain=" + Domain, "--local=/" + Domain + "/",
		"--host-record=" + ServerName + "," + Server,
		"--host-record=gateway." + Domain + "," + Gateway,
		"--dhcp-leasefile=" + s.path(leaseFile), "--dhcp-authoritative",
		// It would wait for an echo before each offer.
		"--no-ping",
	}
	if !dns {
		args = append(args, "--port=0", "--dhcp-option=option:dns-server,"+Gateway)
	}
	if !d.dhcp.Off {
		args = append(args, fmt.Sprintf("--dhcp-range=%s,%s,255.255.255.0,%d", d.dhcp.From, d.dhcp.To, int(d.dhcp.Lease.Seconds())))
	}
	if d.dhcp.Renew > 0 {
		args = append(args, fmt.Sprintf("--dhcp-option=option:T1,%d", int(d.dhcp.Renew.Seconds())))
	}
	return args
}

// start returns when the server answers.
func (d *dnsmasq) start(s *space, dns bool, log io.Writer) error {
	if d.dhcp.Off && !dns {
		return nil
	}
	output, input, err := os.Pipe()
	if err != nil {
		return err
	}
	command := s.Command(context.Background(), d.args(s, dns)...)
	command.Stdout, command.Stderr = input, input
	err = s.Start(command)
	input.Close()
	if err != nil {
		output.Close()
		return err
	}
	d.command, d.done, d.recent = command, make(chan struct{}), nil
	started := make(chan struct{})
	go d.follow(output, log, started)
	select {
	case <-started:
		return nil
	case <-d.done:
		return fmt.Errorf("dnsmasq ended at once: %s", strings.Join(d.recent, "\n"))
	case <-time.After(startWait):
		return fmt.Errorf("dnsmasq is not ready after %v", startWait)
	}
}

// follow reads the log until the server ends.
func (d *dnsmasq) follow(output *os.File, log io.Writer, started chan struct{}) {
	defer close(d.done)
	defer output.Close()
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		line := lines.Text()
		if log != nil {
			fmt.Fprintln(log, line)
		}
		if started != nil && strings.Contains(line, "started, version") {
			close(started)
			started = nil
		}
		d.recent = append(d.recent, line)
		if len(d.recent) > lastLines {
			d.recent = d.recent[1:]
		}
	}
	d.command.Wait()
}

func (d *dnsmasq) stop() error {
	if d.command == nil {
		return nil
	}
	d.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.done:
	case <-time.After(startWait):
		return fmt.Errorf("dnsmasq does not end")
	}
	d.command = nil
	return nil
}

// Lease returns the address that a board has from the DHCP server, or nil.
func (l *Lab) Lease(mac net.HardwareAddr) (net.IP, error) {
	data, err := os.ReadFile(l.path(leaseFile))
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line) // expiry, MAC, address, name, client ID
		if len(fields) > 2 && fields[1] == mac.String() {
			return net.ParseIP(fields[2]), nil
		}
	}
	return nil, nil
}
