package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// plainPeriod is how often a line is written where lines cannot be updated.
const plainPeriod = 5 * time.Second

// printer shows progress: one line that changes on a terminal, else a line at
// each step and every few seconds.
type printer struct {
	out      io.Writer
	terminal bool

	mu     sync.Mutex
	step   string
	last   time.Time
	onLine bool // the cursor is behind unfinished text
	now    func() time.Time
}

func newPrinter(file *os.File) *printer {
	info, err := file.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
	return &printer{out: file, terminal: terminal, now: time.Now}
}

func (p *printer) progress(step, detail string, elapsed time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	line := step
	if elapsed >= time.Second {
		line += fmt.Sprintf(": %v", elapsed.Round(time.Second))
	}
	if detail != "" {
		line += ", " + detail
	}
	if p.terminal {
		fmt.Fprintf(p.out, "\r\x1b[K%s", line)
		p.onLine = true
		return
	}
	now := p.now()
	if step == p.step && now.Sub(p.last) < plainPeriod {
		return
	}
	p.step, p.last = step, now
	fmt.Fprintln(p.out, line)
}

// finish leaves the updating line, so that other text begins on its own.
func (p *printer) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.onLine {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.onLine = false
	}
}
