// Command bench measures what nodes put on the wire, against a real control
// plane, through a proxy that counts TCP payload outside of the process. It
// prints one figure per line: name, value, unit. tools/bench runs it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"femtokubelet.dev/e2e/cluster"
	"femtokubelet.dev/e2e/wire"
)

// figure is one line of output.
type figure struct {
	name  string
	value float64
	unit  string
}

// lab is a cluster with what the measurements need of it.
type lab struct {
	cluster *cluster.Cluster
	program string // femtokubelet
	sample  time.Duration
}

func main() {
	program := flag.String("femtokubelet", "../build/release/femtokubelet", "the node to measure")
	sample := flag.Duration("sample", 100*time.Second, "how long each kind of request is sampled")
	span := flag.Duration("span", 0, "also watch a node with its default periods for so long, after its first half minute")
	image := flag.String("board", "", "measure this firmware instead, in QEMU: one without a port of its own")
	port := flag.String("port", "", "with -board: the firmware with a port of its own")
	m0 := flag.String("m0plus", "", "with -board: the firmware of Cortex-M0+ code")
	flag.Parse()
	work := func() error { return run(*program, *sample, *span) }
	if *image != "" {
		work = func() error { return runBoards(*image, *port, *m0, *sample) }
	}
	if err := work(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(program string, sample, span time.Duration) error {
	program, err := filepath.Abs(program)
	if err != nil {
		return err
	}
	ctx := context.Background()
	c, err := cluster.Start(ctx, cluster.Options{})
	if err != nil {
		return err
	}
	defer c.Stop()
	l := &lab{cluster: c, program: program, sample: sample}
	// All at the same time, each with a proxy of its own: what one of them puts
	// on its connection does not depend on the others.
	works := []func(context.Context) ([]figure, error){l.femtokubelet, l.kubelet, l.freshConnections}
	if span > 0 {
		works = append(works, func(ctx context.Context) ([]figure, error) { return l.span(ctx, span) })
	}
	return inParallel(ctx, works)
}

func inParallel(ctx context.Context, works []func(context.Context) ([]figure, error)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	results := make([][]figure, len(works))
	var all sync.WaitGroup
	for i, work := range works {
		all.Go(func() {
			var err error
			if results[i], err = work(ctx); err != nil {
				cancel(err)
			}
		})
	}
	all.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	for _, figures := range results {
		show(figures)
	}
	return nil
}

func show(figures []figure) {
	for _, f := range figures {
		fmt.Printf("%s %.1f %s\n", f.name, f.value, f.unit)
	}
}

// proxy begins to count, in front of the API server.
func (l *lab) proxy() (*wire.Proxy, error) {
	return wire.Start(strings.TrimPrefix(l.cluster.URL(), "https://"))
}

// kubeconfig is that of a node, by way of the proxy. The API server's
// certificate has 127.0.0.1 in it, whatever the port.
func (l *lab) kubeconfig(node string, p *wire.Proxy) (string, error) {
	path, err := l.cluster.NodeKubeconfig(node)
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	file := filepath.Join(l.cluster.RunDir(), "bench-"+node+".yaml")
	proxied := strings.ReplaceAll(string(text), l.cluster.URL(), "https://"+p.Addr())
	return file, os.WriteFile(file, []byte(proxied), 0o600)
}

// sleep ends early with ctx.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// bytes of both directions.
type bytes struct{ sent, received float64 }

func (b bytes) sum() float64 { return b.sent + b.received }

func (b bytes) minus(o bytes) bytes { return bytes{b.sent - o.sent, b.received - o.received} }

func (b bytes) by(n float64) bytes { return bytes{b.sent / n, b.received / n} }

func counted(p *wire.Proxy) bytes {
	c := p.Counts()
	return bytes{float64(c.ToServer.Bytes), float64(c.ToClient.Bytes)}
}
