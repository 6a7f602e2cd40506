// Package board runs femtokubelet's firmware on an emulated board: QEMU's
// mps2-an385. It owns the board's flash and seed files, its serial console and
// QEMU's monitor, and ends QEMU also when the caller is killed. Linux only.
package board

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"femtokubelet.dev/e2e/launch"
)

// How a board in QEMU's user network sees that network.
const (
	HostIP  = "10.0.2.2" // this machine's loopback
	BoardIP = "10.0.2.15"
)

// NetworkID is what the network backend of Options.Network must be called.
const NetworkID = "net0"

// Files in a board's folder; QEMU runs there, so that their names fit the few
// bytes that the firmware has for its arguments.
const (
	flashFile = "flash.bin"
	seedFile  = "seed.bin"
	seedLen   = 48 // as ports/qemu/seed.c wants it
)

// Options of a board. The zero value is useful.
type Options struct {
	// Image is the firmware; empty: Image().
	Image string
	// NoSeed leaves out the seed: TLS is impossible then.
	NoSeed bool
	// Network holds QEMU's arguments for a network backend called NetworkID;
	// empty: QEMU's user network, in which HostIP is this machine's loopback.
	Network []string
	// Wrap may change how QEMU is started: in a network namespace, say.
	Wrap func(*exec.Cmd)
	// Shift, when not nil, counts instructions instead of time: each takes
	// 2^Shift ns of the board's clock (QEMU's -icount).
	Shift *int
	// OnLine is told each line of the console, from one goroutine.
	OnLine func(Line)
}

// Board is one board, switched on and off any number of times. Its methods may
// be called from several goroutines.
type Board struct {
	dir     string
	opts    Options
	mac     string
	console *console

	mu   sync.Mutex
	life *life // nil: off
}

// life is one run of QEMU.
type life struct {
	*wires
	command *exec.Cmd
	monitor *qmp
	work    sync.WaitGroup
	done    chan struct{} // closed when QEMU has ended
}

// Image is where the firmware is built, or what FEMTOKUBELET_BOARD names. The
// error says what to do when there is none.
func Image() (string, error) {
	path := os.Getenv("FEMTOKUBELET_BOARD")
	if path == "" {
		root, err := repository()
		if err != nil {
			return "", err
		}
		path = filepath.Join(root, "build", "qemu", "femtokubelet.elf")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return "", fmt.Errorf("no firmware at %s: run \"make firmware\" in the repository's root first, "+
			"or name one in FEMTOKUBELET_BOARD", path)
	}
	return path, nil
}

// repository finds its root, above the current folder.
func repository() (string, error) {
	dir, err := filepath.Abs(".")
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "CMakePresets.json")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("not inside femtokubelet's repository")
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}

// New makes a board that is switched off: an empty flash, and a seed, in
// files that only we can read. Files that are there are left as they are.
func New(dir string, opts Options) (*Board, error) {
	if opts.Image == "" {
		var err error
		if opts.Image, err = Image(); err != nil {
			return nil, err
		}
	}
	seed := make([]byte, seedLen)
	mac := make([]byte, 3)
	rand.Read(seed)
	rand.Read(mac)
	for name, content := range map[string][]byte{flashFile: nil, seedFile: seed} {
		file, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		_, err = file.Write(content)
		if err := errors.Join(err, file.Close()); err != nil {
			return nil, err
		}
	}
	return &Board{
		dir: dir, opts: opts, console: newConsole(opts.OnLine),
		mac: fmt.Sprintf("52:54:00:%02x:%02x:%02x", mac[0], mac[1], mac[2]), // QEMU's range
	}, nil
}

// arguments of QEMU.
func (b *Board) arguments() []string {
	semihosting := []string{"enable=on", "target=native", "arg=femtokubelet", "arg=flash=" + flashFile}
	if !b.opts.NoSeed {
		semihosting = append(semihosting, "arg=seed="+seedFile)
	}
	network := b.opts.Network
	if len(network) == 0 {
		network = []string{"-netdev", "user,id=" + NetworkID}
	}
	var counting []string
	if b.opts.Shift != nil {
		counting = []string{"-icount", fmt.Sprintf("shift=%d", *b.opts.Shift)}
	}
	return slices.Concat([]string{
		"-M", "mps2-an385", "-nodefaults", "-display", "none",
		"-kernel", b.opts.Image,
		"-semihosting-config", strings.Join(semihosting, ","),
		"-chardev", "socket,id=monitor,fd=3", "-mon", "chardev=monitor,mode=control",
		"-chardev", "pipe,id=console,path=" + consolePipe, "-serial", "chardev:console",
		"-net", "nic,netdev=" + NetworkID + ",model=lan9118,macaddr=" + b.mac,
	}, counting, network)
}

// Start switches the board on. It boots what its flash holds.
func (b *Board) Start() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.life != nil {
		return errors.New("the board is on already")
	}
	wires, err := b.wire()
	if err != nil {
		return err
	}
	l := &life{wires: wires, done: make(chan struct{})}
	l.command = exec.Command("qemu-system-arm", b.arguments()...)
	l.command.Dir = b.dir
	l.command.ExtraFiles = []*os.File{wires.theirs}
	l.command.Stderr = &complaints{console: b.console}
	if b.opts.Wrap != nil {
		b.opts.Wrap(l.command)
	}
	err = launch.Start(l.command)
	letGo(&wires.theirs) // or we would not see its end
	if err != nil {
		return errors.Join(err, wires.close())
	}
	go func() {
		l.command.Wait()
		close(l.done)
	}()
	l.monitor = newQMP(wires.monitor)
	b.console.plug(wires.input)
	l.work.Go(func() { b.console.read(wires.output) })
	b.life = l
	err = l.monitor.execute("qmp_capabilities", nil)
	letGo(&wires.held)
	if err != nil {
		return errors.Join(fmt.Errorf("QEMU does not start: %w", err), b.off(l))
	}
	return nil
}

// complaints passes QEMU's own words on as lines of the console.
type complaints struct{ console *console }

func (c *complaints) Write(text []byte) (int, error) {
	c.console.take([]byte("QEMU: " + strings.TrimRight(string(text), "\n") + "\n"))
	return len(text), nil
}

// Kill switches the board off, in the midst of whatever it does.
func (b *Board) Kill() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.life == nil {
		return nil
	}
	return b.off(b.life)
}

// off is called with mu held.
func (b *Board) off(l *life) error {
	err := l.command.Process.Kill() // by handle: never somebody else's process
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	<-l.done
	l.work.Wait() // all that was printed has been read
	l.monitor.close()
	b.life = nil
	return errors.Join(err, l.wires.close())
}

func (b *Board) monitor() (*qmp, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.life == nil {
		return nil, ErrOff
	}
	return b.life.monitor, nil
}

// Reset pushes the reset button.
func (b *Board) Reset() error {
	m, err := b.monitor()
	if err != nil {
		return err
	}
	return m.execute("system_reset", nil)
}

// Link plugs the network cable in, or pulls it.
func (b *Board) Link(up bool) error {
	m, err := b.monitor()
	if err != nil {
		return err
	}
	return m.execute("set_link", map[string]any{"name": NetworkID, "up": up})
}

// memoryFile is where QEMU puts what ReadMemory asked for.
const memoryFile = "memory.bin"

// ReadMemory copies length bytes of the board's memory, as they are at one
// instant: the board stands still meanwhile.
func (b *Board) ReadMemory(address uint64, length int) (data []byte, err error) {
	m, err := b.monitor()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(b.dir, memoryFile)
	defer os.Remove(path)
	if err := m.execute("stop", nil); err != nil {
		return nil, err
	}
	err = m.execute("pmemsave", map[string]any{"val": address, "size": length, "filename": memoryFile})
	if err := errors.Join(err, m.execute("cont", nil)); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// Running says whether QEMU runs.
func (b *Board) Running() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.life == nil {
		return false
	}
	select {
	case <-b.life.done:
		return false
	default:
		return true
	}
}

// FlashPath is the file that is the flash; change it while the board is off.
func (b *Board) FlashPath() string { return filepath.Join(b.dir, flashFile) }

// Boots counts how often the program began, over all lives.
func (b *Board) Boots() int {
	_, boots := b.console.count()
	return boots
}

// Mark is a place in what the console printed.
type Mark int

// Now is the place behind the last line so far.
func (b *Board) Now() Mark {
	lines, _ := b.console.count()
	return Mark(lines)
}

// Lines lists what the console printed from a place on.
func (b *Board) Lines(from Mark) []Line {
	b.console.mu.Lock()
	defer b.console.mu.Unlock()
	return append([]Line(nil), b.console.lines[from:]...)
}

// Wait returns the first line from a place on that is as wanted.
func (b *Board) Wait(ctx context.Context, from Mark, ok func(Line) bool) (Line, error) {
	return b.console.wait(ctx, int(from), ok)
}

// Command types a command at the console and returns what it printed but for
// its closing "ok". A reply of "error: " is an error.
func (b *Board) Command(ctx context.Context, text string) ([]string, error) {
	return b.console.command(ctx, text)
}

// Type sends bytes to the console as they are, and waits for nothing.
func (b *Board) Type(data []byte) error {
	b.console.turn.Lock()
	defer b.console.turn.Unlock()
	return b.console.write(data)
}

// Status is what the console's command of that name tells.
func (b *Board) Status(ctx context.Context) (map[string]string, error) {
	lines, err := b.Command(ctx, "status")
	if err != nil {
		return nil, err
	}
	status := map[string]string{}
	for _, line := range lines {
		key, value, _ := strings.Cut(line, " ")
		status[key] = strings.TrimSpace(value)
	}
	return status, nil
}

// Lend opens a Unix socket at path for one client, which has the console for
// itself until it hangs up or ctx ends.
func (b *Board) Lend(ctx context.Context, path string) (wait func() error, err error) {
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	done := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() { listener.Close() })
	go func() {
		tool, err := listener.Accept()
		listener.Close() // now: path is free again before anybody hears that we are done
		if err != nil {
			done <- err
			return
		}
		hangUp := context.AfterFunc(ctx, func() { tool.SetDeadline(time.Now()) })
		b.console.lend(tool.(io.ReadWriter))
		hangUp()
		done <- tool.Close()
	}()
	return func() error {
		defer stop()
		return <-done
	}, nil
}
