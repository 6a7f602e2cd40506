package board

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// ErrOff is the answer of a board that does not run.
var ErrOff = errors.New("the board is switched off")

const (
	ctrlU    = "\x15" // forgets what was typed
	okReply  = "ok"
	badReply = "error: "
	prompt   = "> "
)

// console is the near end of the serial line. All that comes is read at once:
// a board's transmitter drops what nobody takes.
type console struct {
	onLine func(Line)

	turn sync.Mutex // held by whoever types

	mu      sync.Mutex // guards the rest
	board   io.Writer  // nil: off
	rest    []byte     // of a line
	lines   []Line
	boots   int
	tool    io.Writer // gets a copy of all bytes
	reply   *reply    // to the command that was typed
	changed chan struct{}
}

type reply struct {
	begun bool
	lines []string
	end   string
	done  chan struct{}
}

func newConsole(onLine func(Line)) *console {
	return &console{onLine: onLine, changed: make(chan struct{})}
}

// plug connects a board that was just switched on.
func (c *console) plug(to io.Writer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.board, c.rest = to, nil
}

// read takes what the board says until it is off.
func (c *console) read(from io.Reader) {
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		c.take(buf[:n])
		if err != nil {
			break
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.board = nil
	if c.reply != nil {
		close(c.reply.done) // without an end
		c.reply = nil
	}
}

func (c *console) take(data []byte) {
	c.mu.Lock()
	if c.tool != nil {
		c.tool.Write(data)
	}
	c.rest = append(c.rest, data...)
	var fresh []Line
	for {
		end := bytes.IndexByte(c.rest, '\n')
		if end < 0 {
			break
		}
		line := parseLine(string(c.rest[:end]), time.Now())
		c.rest = c.rest[end+1:]
		fresh = append(fresh, line)
		c.note(line)
	}
	if len(fresh) > 0 {
		close(c.changed)
		c.changed = make(chan struct{})
	}
	c.mu.Unlock()
	for _, line := range fresh {
		if c.onLine != nil {
			c.onLine(line)
		}
	}
}

// note is called with mu held.
func (c *console) note(line Line) {
	c.lines = append(c.lines, line)
	if line.IsBoot() {
		c.boots++
	}
	if c.reply == nil || line.Level != "" {
		return
	}
	if strings.HasPrefix(line.Text, prompt) {
		c.reply.begun = true // the echo of the command
		return
	}
	if !c.reply.begun {
		return
	}
	if line.Text == okReply || strings.HasPrefix(line.Text, okReply+" ") || strings.HasPrefix(line.Text, badReply) {
		c.reply.end = line.Text
		close(c.reply.done)
		c.reply = nil
		return
	}
	c.reply.lines = append(c.reply.lines, line.Text)
}

func (c *console) write(data []byte) error {
	c.mu.Lock()
	board := c.board
	c.mu.Unlock()
	if board == nil {
		return ErrOff
	}
	if _, err := board.Write(data); err != nil {
		return errors.Join(ErrOff, err)
	}
	return nil
}

// command types a line and returns what was printed before the final "ok".
func (c *console) command(ctx context.Context, text string) ([]string, error) {
	c.turn.Lock()
	defer c.turn.Unlock()
	r := &reply{done: make(chan struct{})}
	c.mu.Lock()
	c.reply = r
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.reply = nil
	}()
	if err := c.write([]byte(ctrlU + text + "\r")); err != nil {
		return nil, err
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		return nil, fmt.Errorf("no answer to %q: %w", text, ctx.Err())
	}
	switch {
	case r.end == "":
		return nil, ErrOff
	case strings.HasPrefix(r.end, badReply):
		return r.lines, fmt.Errorf("%q: %s", text, r.end)
	}
	return r.lines, nil
}

// lend lets a tool talk to the board until it hangs up.
func (c *console) lend(tool io.ReadWriter) {
	c.turn.Lock()
	defer c.turn.Unlock()
	c.setTool(tool)
	defer c.setTool(nil)
	buf := make([]byte, 4096)
	for {
		n, err := tool.Read(buf)
		if n > 0 && c.write(buf[:n]) != nil || err != nil {
			return
		}
	}
}

func (c *console) setTool(tool io.Writer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tool = tool
}

// wait returns once ok says so of the lines from a place on, or with ctx.
func (c *console) wait(ctx context.Context, from int, ok func(Line) bool) (Line, error) {
	for {
		c.mu.Lock()
		changed := c.changed
		for ; from < len(c.lines); from++ {
			if ok(c.lines[from]) {
				defer c.mu.Unlock()
				return c.lines[from], nil
			}
		}
		c.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return Line{}, ctx.Err()
		}
	}
}

func (c *console) count() (lines, boots int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.lines), c.boots
}
