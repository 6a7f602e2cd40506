package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"sync"

	"femtokubelet.dev/e2e/board"
)

// screen has two writers: the story, and the board's console.
type screen struct {
	out      io.Writer
	terminal bool // bold and colours are understood

	mu    sync.Mutex // guards the rest, and keeps lines whole
	light string     // colour of the board's LED
	muted bool       // only the log of the console is shown
}

// What each pattern looks like (docs/led.md), and a terminal's nearest colour.
var lights = map[string]struct{ look, color string }{
	"self-test":    {"red, green, blue, off", "37"},
	"booting":      {"dim white, steady", "37"},
	"connecting":   {"blue, breathing", "34"},
	"healthy":      {"green, breathing", "32"},
	"warning":      {"yellow, breathing", "33"},
	"disconnected": {"red, a flash every second", "31"},
	"panic":        {"red, on and off", "31"},
}

// pasted is the prompt for a line of PEM.
var pasted = regexp.MustCompile(`^[0-9]+\| ?`)

func newScreen() *screen {
	info, err := os.Stdout.Stat()
	return &screen{out: os.Stdout, terminal: err == nil && info.Mode()&os.ModeCharDevice != 0, light: "37"}
}

func (s *screen) bold(text string) string {
	if s.terminal {
		return "\033[1m" + text + "\033[0m"
	}
	return text
}

// section begins one with a heading.
func (s *screen) section(heading string) { s.print("\n" + s.bold("== "+heading)) }

func (s *screen) print(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintln(s.out, strings.TrimRight(text, "\n"))
}

func (s *screen) mute(muted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.muted = muted
}

// console shows one line of the board's, with a dot of its LED's colour.
func (s *screen) console(line board.Line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	note := ""
	if line.IsBoot() {
		s.light = lights["self-test"].color // not logged: it shows itself
	}
	if light, known := lights[line.Fields["pattern"]]; known && line.Message == "LED" {
		s.light = light.color
		note = "   (" + light.look + ")"
	}
	if line.Level == "" && (s.muted || line.Text == "" || pasted.MatchString(line.Text)) {
		return
	}
	dot := "|"
	if s.terminal {
		dot = "\033[1;" + s.light + "m●\033[0m"
		if note != "" {
			note = "\033[2m" + note + "\033[0m"
		}
	}
	fmt.Fprintln(s.out, "board "+dot+" "+printable(line.Text)+note)
}

// printable leaves out what a terminal would obey: anything may be typed at
// the console, and its echo comes here.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, text)
}
