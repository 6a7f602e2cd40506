package node

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"femtokubelet.dev/e2e/board"
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
		j.add(parseEntry(string(j.rest[:end])))
		j.rest = j.rest[end+1:]
	}
}

// add is called with mu held.
func (j *journal) add(e entry) {
	j.entries = append(j.entries, e)
	if j.changed != nil {
		close(j.changed)
		j.changed = nil
	}
}

// note takes what a board's console printed. A line of its log reads as if it
// were JSON, as processes write it, so that one text finds it in both.
func (j *journal) note(l board.Line) {
	e := entry{Arrived: l.Arrived, Level: l.Level, Message: l.Message, Text: l.Text}
	if l.Level != "" {
		e.fields = map[string]any{"level": l.Level, "msg": l.Message, "since": l.Since.String()}
		for key, value := range l.Fields {
			e.fields[key] = value
			if number, err := strconv.ParseInt(value, 10, 64); err == nil {
				e.fields[key] = number
			}
		}
		e.Text = toJSON(e.fields)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.add(e)
}

func toJSON(fields map[string]any) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(fields); err != nil {
		panic(err) // texts and numbers
	}
	return strings.TrimSuffix(b.String(), "\n")
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
