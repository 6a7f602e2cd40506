package board

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const patience = 20 * time.Second

func timeout(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// fakeBoard answers each line as a function says, with echo and prompt.
func fakeBoard(t *testing.T, answer func(line string) string) (*console, net.Conn) {
	t.Helper()
	near, far := net.Pipe()
	c := newConsole(nil)
	c.plug(near)
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.read(near)
	}()
	t.Cleanup(func() {
		far.Close()
		near.Close()
		<-done
	})
	fmt.Fprint(far, "\r\n> \r\x1b[KI 0.001 femtokubelet 0.1.0 machine=fake reset=power-on\r\n> ")
	go func() {
		input := bufio.NewReader(far)
		for {
			line, err := input.ReadString('\r')
			if err != nil {
				return
			}
			line = strings.TrimSuffix(strings.TrimPrefix(line, ctrlU), "\r")
			fmt.Fprintf(far, "%s%s%s\r\n%s> ", eraseLine, prompt, line, answer(line))
		}
	}()
	return c, far
}

func TestCommandTakesRepliesApartFromTheLog(t *testing.T) {
	c, _ := fakeBoard(t, func(line string) string {
		switch line {
		case "status":
			return "state            connected\r\nI 2.000 lease renewed renewals=2\r\nokay            no end\r\nok\r\n"
		case "save":
			return "ok saved; reboot to use\r\n"
		}
		return "error: no command \"" + line + "\"; type help\r\n"
	})
	lines, err := c.command(timeout(t), "status")
	if want := []string{"state            connected", "okay            no end"}; !slices.Equal(lines, want) || err != nil {
		t.Errorf("%q, %v", lines, err)
	}
	if lines, err := c.command(timeout(t), "save"); len(lines) != 0 || err != nil {
		t.Errorf("%q, %v", lines, err)
	}
	if _, err := c.command(timeout(t), "nonsense"); err == nil || !strings.Contains(err.Error(), "no command") {
		t.Error(err)
	}
	line, err := c.wait(timeout(t), 0, func(l Line) bool { return l.Message == "lease renewed" })
	if err != nil || line.Fields["renewals"] != "2" {
		t.Errorf("%+v, %v", line, err)
	}
	if _, boots := c.count(); boots != 1 {
		t.Errorf("%d boots", boots)
	}
}

func TestCommandOfABoardThatEndsOrIsSilent(t *testing.T) {
	silent := make(chan struct{})
	var far net.Conn
	c, far := fakeBoard(t, func(line string) string {
		if line == "end" {
			far.Close()
		}
		<-silent
		return ""
	})
	defer close(silent)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := c.command(ctx, "wait"); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	time.AfterFunc(10*time.Millisecond, func() { far.Close() })
	if _, err := c.command(timeout(t), "again"); !errors.Is(err, ErrOff) {
		t.Error(err)
	}
	if _, err := c.command(timeout(t), "later"); !errors.Is(err, ErrOff) {
		t.Error(err)
	}
	if _, err := c.wait(ctx, 100, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestLinesInPiecesOfAnySize(t *testing.T) {
	const text = "\r\n> \r\x1b[KI 1.000 a x=1\r\n> stat\r\x1b[KW 2.000 b\r\n> stat"
	for size := 1; size <= len(text); size++ {
		c := newConsole(nil)
		for at := 0; at < len(text); at += size {
			c.take([]byte(text[at:min(at+size, len(text))]))
		}
		var got []string
		for _, line := range c.lines {
			got = append(got, line.Level+" "+line.Message)
		}
		if want := []string{" ", "INFO a", "WARN b"}; !slices.Equal(got, want) {
			t.Fatalf("pieces of %d: %q", size, got)
		}
	}
}

// A tool has the console for itself, sees all that the board says, and what it
// does not take away from the log.
func TestLend(t *testing.T) {
	c, _ := fakeBoard(t, func(line string) string { return "ok " + line + "\r\nI 3.000 said line=" + line + "\r\n" })
	b := &Board{console: c}
	path := filepath.Join(t.TempDir(), "c")
	wait, err := b.Lend(timeout(t), path)
	if err != nil {
		t.Fatal(err)
	}
	tool, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	tool.SetDeadline(time.Now().Add(patience))
	io.WriteString(tool, "hello\r")
	input := bufio.NewScanner(tool)
	for input.Scan() && !strings.HasPrefix(input.Text(), "ok hello") {
	}
	if input.Err() != nil {
		t.Fatal(input.Err())
	}
	// Or whoever lends it again, after wait, might find the old socket there.
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
	tool.Close()
	if err := wait(); err != nil {
		t.Error(err)
	}
	if _, err := c.wait(timeout(t), 0, func(l Line) bool { return l.Fields["line"] == "hello" }); err != nil {
		t.Error(err)
	}
	if _, err := c.command(timeout(t), "ours"); err != nil {
		t.Error(err)
	}
}

func TestLendToNobody(t *testing.T) {
	b := &Board{console: newConsole(nil)}
	ctx, cancel := context.WithCancel(t.Context())
	wait, err := b.Lend(ctx, filepath.Join(t.TempDir(), "c"))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if wait() == nil {
		t.Error("nobody came, and all is well")
	}
}

func TestQMP(t *testing.T) {
	near, far := net.Pipe()
	go func() {
		defer far.Close()
		fmt.Fprintln(far, `{"QMP": {"version": {}}}`)
		decoder := json.NewDecoder(far)
		for {
			var question struct{ Execute string }
			if decoder.Decode(&question) != nil || question.Execute == "quit" {
				return
			}
			fmt.Fprintln(far, `{"event": "RESET", "data": {}}`)
			if question.Execute == "set_link" {
				fmt.Fprintln(far, `{"error": {"class": "DeviceNotFound", "desc": "Device 'net0' not found"}}`)
			} else {
				fmt.Fprintln(far, `{"return": {}}`)
			}
		}
	}()
	q := newQMP(near)
	defer q.close()
	for range 2 {
		if err := q.execute("system_reset", nil); err != nil {
			t.Error(err)
		}
	}
	if err := q.execute("set_link", map[string]any{"up": true}); err == nil || !strings.Contains(err.Error(), "not found") {
		t.Error(err)
	}
	if err := q.execute("quit", nil); !errors.Is(err, ErrOff) {
		t.Error(err)
	}
	if err := q.execute("system_reset", nil); !errors.Is(err, ErrOff) {
		t.Error(err)
	}
}
