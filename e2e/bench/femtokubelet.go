package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const (
	// quiet is how long nothing may have passed or been logged before what came
	// since the last time is one sample: an exchange takes a few milliseconds.
	quiet = 150 * time.Millisecond
	// settled: the first reports and the flips that follow from them are over.
	settled = 15 * time.Second
	// whole: the node sends its whole status with every twelfth report.
	wholeEvery = 12
	// Defaults of the node: a Lease every 10 s with 4 % of jitter, a report every 5 minutes.
	renewalsPerMinute = 60 / (10 * 1.02)
	reportsPerMinute  = 60.0 / 300
)

// node is a running femtokubelet and what it logs.
type node struct {
	command *exec.Cmd
	events  chan event
}

type event struct {
	Message string `json:"msg"`
	Level   string `json:"level"`
	Whole   int    `json:"whole"`
}

func (l *lab) startNode(ctx context.Context, kubeconfig, name string, flags ...string) (*node, error) {
	args := append([]string{"--kubeconfig", kubeconfig, "--hostname-override", name, "--port=0", "-v=4", "--logging-format=json"}, flags...)
	n := &node{command: exec.CommandContext(ctx, l.program, args...), events: make(chan event, 100)}
	n.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stderr, err := n.command.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := n.command.Start(); err != nil {
		return nil, err
	}
	go n.read(stderr)
	return n, nil
}

func (n *node) read(stderr io.Reader) {
	defer close(n.events)
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil || e.Level == "warn" || e.Level == "error" {
			fmt.Fprintln(os.Stderr, "femtokubelet:", lines.Text())
		}
		n.events <- e
	}
}

func (n *node) stop() {
	n.command.Process.Signal(syscall.SIGTERM)
	for range n.events {
	}
	n.command.Wait()
}

// tally is what came between two moments of quiet, or the mean of several such.
type tally struct {
	renewals, shorts, wholes int
	bytes                    bytes
}

func (t *tally) note(e event) {
	switch {
	case e.Message == "lease renewed":
		t.renewals++
	case e.Message == "status reported" && e.Whole == 1:
		t.wholes++
	case e.Message == "status reported":
		t.shorts++
	}
}

// watch cuts the node's traffic into samples, one for each burst.
func (l *lab) watch(ctx context.Context, name string, d time.Duration, flags ...string) ([]tally, error) {
	p, err := l.proxy()
	if err != nil {
		return nil, err
	}
	defer p.Close()
	kubeconfig, err := l.kubeconfig(name, p)
	if err != nil {
		return nil, err
	}
	n, err := l.startNode(ctx, kubeconfig, name, flags...)
	if err != nil {
		return nil, err
	}
	defer n.stop()
	samples, err := sampleFor(n, d, func() bytes { return counted(p) })
	if err == nil && p.Counts().ClientHellos != 1 {
		err = fmt.Errorf("%s connected %d times instead of once", name, p.Counts().ClientHellos)
	}
	return samples, err
}

func sampleFor(n *node, span time.Duration, count func() bytes) ([]tally, error) {
	var samples []tally
	var cut, last bytes // the counts at the end of the last sample, and a moment ago
	var t tally
	begin := time.Now().Add(settled)
	for time.Since(begin) < span {
		select {
		case e, alive := <-n.events:
			if !alive {
				return nil, errors.New("femtokubelet ended by itself")
			}
			t.note(e)
		case <-time.After(quiet):
			now := count()
			if now == last && now != cut {
				t.bytes = now.minus(cut)
				if time.Since(begin) > 0 {
					samples = append(samples, t)
				}
				cut, t = now, tally{}
			}
			last = now
		}
	}
	return samples, nil
}

// mean of the samples that hold exactly this; what is known of the renewals in
// them is taken off.
func mean(samples []tally, what string, renewal bytes, pick func(tally) bool) (bytes, error) {
	var sum bytes
	count := 0
	for _, t := range samples {
		if pick(t) {
			sum.sent += t.bytes.sent - float64(t.renewals)*renewal.sent
			sum.received += t.bytes.received - float64(t.renewals)*renewal.received
			count++
		}
	}
	if count == 0 {
		return bytes{}, fmt.Errorf("no sample of a %s; they were %+v", what, samples)
	}
	fmt.Fprintf(os.Stderr, "bench: %d samples of a %s\n", count, what)
	return sum.by(float64(count)), nil
}

// femtokubelet runs two nodes: one that renews its Lease every second and sends
// no status after its first, and one with the default Lease that reports its
// status every two seconds.
func (l *lab) femtokubelet(ctx context.Context) ([]figure, error) {
	var renewing []tally
	failed := make(chan error, 1)
	go func() {
		var err error
		renewing, err = l.watch(ctx, "bench-renewing", l.sample, "--lease-duration-seconds=4",
			"--node-status-report-frequency=24h")
		failed <- err
	}()
	reporting, err := l.watch(ctx, "bench-reporting", l.sample, "--node-status-update-frequency=1s",
		"--node-status-report-frequency=2s")
	if err = errors.Join(<-failed, err); err != nil {
		return nil, err
	}
	return femtoFigures(renewing, reporting)
}

func femtoFigures(renewing, reporting []tally) ([]figure, error) {
	// A mean over all, since HPACK's tables make replies differ in a long cycle.
	renewal, err1 := mean(renewing, "renewal", bytes{},
		func(t tally) bool { return t.renewals == 1 && t.shorts+t.wholes == 0 })
	short, err2 := mean(reporting, "short report", renewal,
		func(t tally) bool { return t.shorts == 1 && t.wholes == 0 })
	whole, err3 := mean(reporting, "whole report", renewal,
		func(t tally) bool { return t.wholes == 1 && t.shorts == 0 })
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	report := short.sum() + (whole.sum()-short.sum())/wholeEvery
	return []figure{
		{"renewal_wire_bytes", renewal.sum(), "B"},
		{"renewal_sent_bytes", renewal.sent, "B"},
		{"renewal_received_bytes", renewal.received, "B"},
		{"status_report_wire_bytes", short.sum(), "B"},
		{"status_report_whole_wire_bytes", whole.sum(), "B"},
		{"idle_wire_bytes_per_min", renewal.sum()*renewalsPerMinute + report*reportsPerMinute, "B/min"},
	}, nil
}

// span is the check of the sum: a node as it comes, left alone.
func (l *lab) span(ctx context.Context, d time.Duration) ([]figure, error) {
	samples, err := l.watch(ctx, "bench-span", d)
	if err != nil {
		return nil, err
	}
	var all tally
	for _, t := range samples {
		all.renewals += t.renewals
		all.shorts += t.shorts
		all.wholes += t.wholes
		all.bytes.sent += t.bytes.sent
		all.bytes.received += t.bytes.received
	}
	fmt.Fprintf(os.Stderr, "bench: in %v: %d renewals, %d short reports, %d whole ones\n", d,
		all.renewals, all.shorts, all.wholes)
	return []figure{{"span_wire_bytes_per_min", all.bytes.sum() / d.Minutes(), "B/min"}}, nil
}
