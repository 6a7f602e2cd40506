package node

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// entry is one line of the node's log.
type entry struct {
	Arrived time.Time
	Level   string // empty: the line is no JSON
	Message string
	Text    string // the line as it came
	fields  map[string]any
}

func (e entry) field(name string) string {
	if value, ok := e.fields[name]; ok {
		return fmt.Sprint(value)
	}
	return ""
}

// journal takes a log as it is written, and lets tests wait for lines.
type journal struct {
	mu      sync.Mutex
	rest    []byte
	entries []entry
	changed chan struct{} // closed and replaced with each line; nil: nobody asked yet
}

func (j *journal) Write(data []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.rest = append(j.rest, data...)
	for {
		end := bytes.IndexByte(j.rest, '\n')
		if end < 0 {
			return len(data), nil
		}
		j.entries = append(j.entries, parseEntry(string(j.rest[:end])))
		j.rest = j.rest[end+1:]
		if j.changed != nil {
			close(j.changed)
			j.changed = nil
		}
	}
}

func parseEntry(line string) entry {
	e := entry{Arrived: time.Now(), Text: line}
	if json.Unmarshal([]byte(line), &e.fields) == nil {
		e.Level, e.Message = e.field("level"), e.field("msg")
	}
	return e
}

// mark is a place in the log: matches before it do not count.
type mark int

func (j *journal) now() mark {
	j.mu.Lock()
	defer j.mu.Unlock()
	return mark(len(j.entries))
}

// since lists the entries from a mark on whose line has the text; "" means all.
func (j *journal) since(from mark, text string) []entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	var found []entry
	for _, e := range j.entries[from:] {
		if strings.Contains(e.Text, text) {
			found = append(found, e)
		}
	}
	return found
}

// wait returns the first entry from a mark on whose line has the text.
func (j *journal) wait(t *testing.T, from mark, text string) entry {
	t.Helper()
	timeout := time.After(patience)
	for {
		j.mu.Lock()
		if j.changed == nil {
			j.changed = make(chan struct{})
		}
		changed := j.changed
		j.mu.Unlock()
		if found := j.since(from, text); len(found) > 0 {
			return found[0]
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("the node did not log %q within %v", text, patience)
		}
	}
}

func (j *journal) tail(n int) string {
	lines := j.since(0, "")
	var b strings.Builder
	for _, e := range lines[max(0, len(lines)-n):] {
		b.WriteString(e.Text + "\n")
	}
	return b.String()
}
