package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"femtokubelet.dev/e2e/board"
	"femtokubelet.dev/e2e/cluster"
	"femtokubelet.dev/e2e/wire"
)

// The board tells how long it was awake, in microseconds of its own clock. When
// QEMU counts instructions instead of time, that is how many it ran: an
// instruction takes 2^shift ns.
const (
	everyNanosecond = 0 // a microsecond is a thousand instructions
	at125MIPS       = 3 // as fast as an RP2040
	perMicrosecond  = 1000
)

// startTimeout is far above what a board needs until it is Ready.
const startTimeout = 60 * time.Second

// trial is one board that is measured.
type trial struct {
	name    string // of the node
	image   string
	cluster *cluster.Cluster
	shift   *int
	proxy   *wire.Proxy // nil: straight to the API server
	more    map[string]string

	clientCA string   // of the board's own port; empty: none
	network  []string // QEMU's arguments; empty: its user network
}

// up provisions a board and waits until it has renewed its Lease.
func (t *trial) up(ctx context.Context) (b *board.Board, end func(), err error) {
	dir, err := os.MkdirTemp("", "femtokubelet-bench-")
	if err != nil {
		return nil, nil, err
	}
	b, err = board.New(dir, board.Options{Image: t.image, Shift: t.shift, Network: t.network})
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	end = func() {
		b.Kill()
		os.RemoveAll(dir)
	}
	if err = t.boot(ctx, b); err != nil {
		end()
		return nil, nil, err
	}
	return b, end, nil
}

func (t *trial) boot(ctx context.Context, b *board.Board) error {
	kubeconfig, err := t.cluster.NodeKubeconfig(t.name)
	if err == nil && t.proxy != nil {
		kubeconfig, err = (&lab{cluster: t.cluster}).kubeconfig(t.name, t.proxy)
	}
	if err != nil {
		return err
	}
	if err := b.Start(); err != nil {
		return err
	}
	settings := board.Settings{Kubeconfig: kubeconfig, Name: t.name, ClientCA: t.clientCA, More: t.more}
	if err := b.Provision(ctx, settings); err != nil {
		return err
	}
	// A power-on, not a reboot: all figures begin anew.
	if err := b.Kill(); err != nil {
		return err
	}
	if err := b.Start(); err != nil {
		return err
	}
	return t.await(ctx, b)
}

func (t *trial) await(ctx context.Context, b *board.Board) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		s, err := read(ctx, b)
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		if s["ready-busy-us"] > 0 {
			return nil
		}
		if err := sleep(ctx, time.Second); err != nil {
			return fmt.Errorf("%s was not Ready within %v", t.name, startTimeout)
		}
	}
}

// read is the board's status, as far as it consists of numbers.
func read(ctx context.Context, b *board.Board) (map[string]float64, error) {
	texts, err := b.Status(ctx)
	if err != nil {
		return nil, err
	}
	numbers := map[string]float64{}
	for key, text := range texts {
		if value, err := strconv.ParseFloat(text, 64); err == nil {
			numbers[key] = value
		}
	}
	return numbers, nil
}

// peaks are heap and stack after a start and some renewals, and what the start cost.
func (t *trial) peaks(ctx context.Context, d time.Duration, label string) ([]figure, error) {
	b, end, err := t.up(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	// The start's second report goes out some 20 s after the first.
	if err := sleep(ctx, 2*settled); err != nil {
		return nil, err
	}
	each, err := perRenewal(ctx, b, d)
	if err != nil {
		return nil, err
	}
	s, err := read(ctx, b)
	if err != nil {
		return nil, err
	}
	return []figure{
		{label + "_heap_peak_bytes", s["heap-peak"], "B"},
		{label + "_heap_steady_bytes", s["heap-used"], "B"},
		{label + "_stack_peak_bytes", s["stack-peak"], "B"},
		{label + "_ready_instructions", s["ready-busy-us"] * perMicrosecond, "instructions"},
		{label + "_renewal_instructions", each * perMicrosecond, "instructions"},
		{label + "_max_step_instructions", s["max-step-us"] * perMicrosecond, "instructions"},
	}, nil
}

// perRenewal is the time awake per renewal, less what asking for it takes.
func perRenewal(ctx context.Context, b *board.Board, d time.Duration) (float64, error) {
	first, err1 := read(ctx, b)
	begin, err2 := read(ctx, b)
	err3 := sleep(ctx, d)
	after, err4 := read(ctx, b)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return 0, err
	}
	asking := begin["busy-us"] - first["busy-us"]
	renewals := after["renewals"] - begin["renewals"]
	if renewals < 1 {
		return 0, fmt.Errorf("no renewal within %v", d)
	}
	return (after["busy-us"] - begin["busy-us"] - asking) / renewals, nil
}

// begin is the heap before there is a connection, and when it has been opened to
// a server that says nothing.
func (t *trial) begin(ctx context.Context) ([]figure, error) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer silent.Close()
	dir, err := os.MkdirTemp("", "femtokubelet-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	b, err := board.New(dir, board.Options{Image: t.image})
	if err != nil {
		return nil, err
	}
	defer b.Kill()
	kubeconfig, err := t.cluster.NodeKubeconfig(t.name)
	if err != nil {
		return nil, err
	}
	port := silent.Addr().(*net.TCPAddr).Port
	settings := board.Settings{Kubeconfig: kubeconfig, Name: t.name, Server: fmt.Sprintf("https://%s:%d", board.HostIP, port)}
	if err := errors.Join(b.Start(), b.Provision(ctx, settings), b.Kill(), b.Start(), b.Link(false)); err != nil {
		return nil, err
	}
	idle, err1 := heapWhen(ctx, b, "no link")
	err2 := b.Link(true)
	opened, err3 := heapWhen(ctx, b, "connecting")
	return []figure{
		{"board_heap_idle_bytes", idle, "B"},
		{"board_heap_opened_bytes", opened, "B"},
	}, errors.Join(err1, err2, err3)
}

// heapWhen is the heap in use as soon as the board is in a state.
func heapWhen(ctx context.Context, b *board.Board, state string) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		s, err := b.Status(ctx)
		if err != nil {
			return 0, fmt.Errorf("a board that is %s: %w", state, err)
		}
		if strings.HasPrefix(s["state"], state) {
			return strconv.ParseFloat(s["heap-used"], 64)
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return 0, err
		}
	}
}

// rhythm is the longest time without a look at the LED while the board was busy.
func (t *trial) rhythm(ctx context.Context) ([]figure, error) {
	b, end, err := t.up(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	s, err := read(ctx, b)
	if err != nil {
		return nil, err
	}
	return []figure{{"board_led_gap_ms", s["led-gap-ms"], "ms"}}, nil
}

// beforeFlip is how long a node that renews every second is left alone: with its
// 100th renewal a condition flips, and a whole status goes out.
const beforeFlip = 70 * time.Second

// wire is what a renewal puts on the wire, a mean over d or a little less.
func (t *trial) wire(ctx context.Context, d time.Duration) ([]figure, error) {
	p, err := (&lab{cluster: t.cluster}).proxy()
	if err != nil {
		return nil, err
	}
	defer p.Close()
	t.proxy = p
	t.more = map[string]string{"lease-duration": "4", "status-report": "86400"}
	b, end, err := t.up(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	if err := sleep(ctx, settled); err != nil {
		return nil, err
	}
	begin, err1 := read(ctx, b)
	from := counted(p)
	err2 := sleep(ctx, min(d, beforeFlip))
	after, err3 := read(ctx, b)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	sum := counted(p).minus(from).by(after["renewals"] - begin["renewals"])
	return []figure{{"board_renewal_wire_bytes", sum.sum(), "B"}}, nil
}

// runBoards measures boards in QEMU, one after the other where instructions are
// counted, so that they do not disturb each other.
func runBoards(image, port, m0 string, sample time.Duration) error {
	ctx := context.Background()
	c, err := cluster.Start(ctx, cluster.Options{})
	if err != nil {
		return err
	}
	defer c.Stop()
	rsa, err := cluster.Start(ctx, cluster.Options{RSA: true})
	if err != nil {
		return err
	}
	defer rsa.Stop()
	shift, slow := everyNanosecond, at125MIPS
	works := []func(context.Context) ([]figure, error){
		func(ctx context.Context) ([]figure, error) {
			return (&trial{name: "bench-board", image: image, cluster: c, shift: &shift}).peaks(ctx, sample, "board")
		},
		func(ctx context.Context) ([]figure, error) {
			return (&trial{name: "bench-rsa", image: image, cluster: rsa, shift: &shift}).peaks(ctx, sample/3, "board_rsa")
		},
		(&trial{name: "bench-begin", image: image, cluster: c}).begin,
		func(ctx context.Context) ([]figure, error) {
			return (&trial{name: "bench-led", image: image, cluster: c, shift: &slow}).rhythm(ctx)
		},
		func(ctx context.Context) ([]figure, error) {
			return (&trial{name: "bench-wire", image: image, cluster: c}).wire(ctx, sample)
		},
	}
	if port != "" {
		in, err := newInbound(port, c, &shift)
		if err != nil {
			return err
		}
		works = append(works, in.measure)
	}
	if m0 != "" {
		works = append(works, func(ctx context.Context) ([]figure, error) {
			return (&trial{name: "bench-m0", image: m0, cluster: c, shift: &shift}).peaks(ctx, sample/3, "board_m0plus")
		})
	}
	for _, work := range works {
		figures, err := work(ctx)
		if err != nil {
			return err
		}
		show(figures)
	}
	return nil
}
