package lab

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Direction of frames on a cable.
type Direction int

const (
	ToBoard Direction = iota
	FromBoard
)

const (
	// maxFrame is more than any frame: QEMU passes on what a driver sends.
	maxFrame = 64 << 10
	// lengthLen: QEMU's stream has each frame behind its length, big-endian.
	lengthLen = 4
	portPoll  = 50 * time.Millisecond
)

// Cable leads from a tap, which is a port of the lab's bridge, to a board. All
// frames pass through this process, which can lose, delay, add and record
// them: faults need no kernel module, and hit the same frames in every run.
type Cable struct {
	space    *space
	name     string
	tap      *os.File
	path     string
	listener net.Listener
	lanes    [2]*lane
	stop     chan struct{}
	work     sync.WaitGroup

	carrier sync.Mutex // held while the cable is plugged in or pulled
	writing sync.Mutex // held while a frame goes to the board: it may take long

	mu      sync.Mutex // guards the rest
	board   net.Conn   // nil while no board is there
	closed  bool
	capture io.Writer
}

// A tap's name has at most 15 bytes.
var portName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,14}$`)

// Plug adds a port to the lab and a cable to it. A board connects to its other
// end, see QEMU and Socket.
func (l *Lab) Plug(ctx context.Context, name string) (*Cable, error) {
	if !portName.MatchString(name) {
		return nil, fmt.Errorf("port %q: use up to 15 lower-case letters, digits and '-'", name)
	}
	tap, err := l.ask("tap " + name)
	if err != nil {
		return nil, err
	}
	c := &Cable{space: l.space, name: name, tap: tap, path: l.path(name + ".socket"), stop: make(chan struct{})}
	if err = l.ip(ctx, "link set "+name+" master "+bridge+" up"); err == nil {
		err = c.forwards(ctx)
	}
	if err == nil {
		c.listener, err = net.Listen("unix", c.path)
	}
	if err != nil {
		return nil, errors.Join(err, tap.Close())
	}
	c.lanes[ToBoard] = newLane(l.opts.Seed, ToBoard, c.toBoard)
	c.lanes[FromBoard] = newLane(l.opts.Seed, FromBoard, c.toBridge)
	for _, lane := range c.lanes {
		c.work.Go(func() { lane.run(c.stop) })
	}
	c.work.Go(c.readBridge)
	c.work.Go(c.accept)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cables = append(l.cables, c)
	return c, nil
}

// QEMU returns the arguments for QEMU's end of the cable, a netdev called id.
// QEMU need not run inside the lab. It does not tell its guest when the cable
// is pulled: its monitor's set_link does.
func (c *Cable) QEMU(id string) []string {
	return []string{"-netdev", "stream,id=" + id + ",server=off,addr.type=unix,addr.path=" + c.path}
}

// Socket is where a board that is not QEMU connects: a Unix stream, each frame
// behind its length as 32 bits, big-endian. The newest connection counts.
func (c *Cable) Socket() string { return c.path }

// SetUp(false) pulls the cable: the bridge's port loses its carrier, and what
// is under way is lost. SetUp(true) returns when the bridge passes frames,
// which may take it a second or two, as it does switches.
func (c *Cable) SetUp(ctx context.Context, up bool) error {
	c.carrier.Lock()
	defer c.carrier.Unlock()
	for _, lane := range c.lanes {
		lane.cut(!up)
	}
	if err := setCarrier(c.tap, up); err != nil || !up {
		return err
	}
	return c.forwards(ctx)
}

// forwards waits until the port and the bridge have noticed their carrier: the
// kernel looks at that once a second.
func (c *Cable) forwards(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	var links string
	for {
		now, err := c.space.Run(ctx, "ip", "-oneline", "-details", "link", "show")
		if err != nil {
			return fmt.Errorf("the bridge does not forward: %w\n%s", err, links)
		}
		links = now
		ready := 0
		for line := range strings.Lines(links) {
			switch {
			// A tap's state may also be UNKNOWN.
			case strings.Contains(line, ": "+c.name+": "):
				if strings.Contains(line, " bridge_slave state forwarding ") && !strings.Contains(line, " state DOWN ") {
					ready++
				}
			case strings.Contains(line, ": "+bridge+": ") && strings.Contains(line, " state UP "):
				ready++
			}
		}
		if ready == 2 {
			return nil
		}
		time.Sleep(portPoll)
	}
}

// Impair makes the line a bad one from the next frame on, in the directions
// given or in both. The zero value makes it a good one again.
func (c *Cable) Impair(i Impairment, directions ...Direction) error {
	if err := i.check(); err != nil {
		return err
	}
	if len(directions) == 0 {
		directions = []Direction{ToBoard, FromBoard}
	}
	for _, d := range directions {
		c.lanes[d].set(i)
	}
	return nil
}

// Counts of all frames so far in one direction, but for those of Inject.
func (c *Cable) Counts(d Direction) Counts { return c.lanes[d].snapshot() }

// Inject delivers a frame as it is, be it a valid one or not, past the cable's
// state and impairment. It says whether the other end took it.
func (c *Cable) Inject(d Direction, frame []byte) bool { return c.lanes[d].deliver(frame) }

// Capture writes what is delivered from now on, in both directions, as a pcap
// file; nil ends that.
func (c *Cable) Capture(w io.Writer) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.capture = w
	if w == nil {
		return nil
	}
	return writeCaptureHeader(w)
}

func (c *Cable) record(frame []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.capture != nil && writeCaptured(c.capture, frame) != nil {
		c.capture = nil
	}
}

// toBridge says false for a frame that the kernel refuses: one too short to
// have a header.
func (c *Cable) toBridge(frame []byte) bool {
	c.record(frame)
	_, err := c.tap.Write(frame)
	return err == nil
}

// toBoard waits while the board does not read, as a tap would; frames behind
// this one then fill the queue and are dropped.
func (c *Cable) toBoard(frame []byte) bool {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	board := c.board
	c.mu.Unlock()
	if board == nil {
		return false
	}
	c.record(frame)
	message := binary.BigEndian.AppendUint32(make([]byte, 0, lengthLen+len(frame)), uint32(len(frame)))
	_, err := board.Write(append(message, frame...))
	return err == nil
}

func (c *Cable) readBridge() {
	buf := make([]byte, maxFrame)
	for {
		n, err := c.tap.Read(buf)
		if err != nil {
			return // closed
		}
		c.lanes[ToBoard].send(append([]byte(nil), buf[:n]...))
	}
}

// accept takes the newest board for the real one: QEMU was started again.
func (c *Cable) accept() {
	for {
		conn, err := c.listener.Accept()
		if err != nil {
			return // closed
		}
		c.mu.Lock()
		if c.board != nil {
			c.board.Close()
		}
		c.board = conn
		if c.closed {
			conn.Close()
		}
		c.mu.Unlock()
		c.work.Go(func() { c.readBoard(conn) })
	}
}

func (c *Cable) readBoard(board net.Conn) {
	defer func() {
		board.Close()
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.board == board {
			c.board = nil
		}
	}()
	var length [lengthLen]byte
	for {
		if _, err := io.ReadFull(board, length[:]); err != nil {
			return
		}
		n := binary.BigEndian.Uint32(length[:])
		if n > maxFrame {
			return // not a stream of frames
		}
		frame := make([]byte, n)
		if _, err := io.ReadFull(board, frame); err != nil {
			return
		}
		c.lanes[FromBoard].send(frame)
	}
}

func (c *Cable) close() error {
	c.mu.Lock()
	c.closed = true
	if c.board != nil {
		c.board.Close()
	}
	c.mu.Unlock()
	close(c.stop)
	err := errors.Join(c.listener.Close(), c.tap.Close())
	c.work.Wait()
	return err
}
