package main

import (
	"bytes"
	"testing"

	"femtokubelet.dev/e2e/board"
)

func TestConsoleOnScreen(t *testing.T) {
	led := board.Line{Level: "INFO", Message: "LED", Text: "I 0.800 LED pattern=healthy",
		Fields: map[string]string{"pattern": "healthy"}}
	boot := board.Line{Level: "INFO", Message: "femtokubelet 0.1.0", Text: "I 0.001 femtokubelet 0.1.0 reset=reboot",
		Fields: map[string]string{"reset": "reboot"}}
	for _, row := range []struct {
		what     string
		terminal bool
		muted    bool
		lines    []board.Line
		want     string
	}{
		{"a line", false, false, []board.Line{{Text: "> status"}}, "board | > status\n"},
		{"LED", false, false, []board.Line{led}, "board | I 0.800 LED pattern=healthy   (green, breathing)\n"},
		{"the log while muted", false, true, []board.Line{{Text: "> set x"}, boot}, "board | " + boot.Text + "\n"},
		{"prompts of a paste", false, false, []board.Line{{Text: "12| "}, {Text: "1|"}, {}}, ""},
		{"what a terminal would obey", false, false, []board.Line{{Text: "> a\x1b[2Jb\x07\x9b\b c"}}, "board | > a[2Jb c\n"},
		{"the LED's colour stays until a reset", true, false, []board.Line{led, {Text: "x"}, boot},
			"board \033[1;32m●\033[0m I 0.800 LED pattern=healthy\033[2m   (green, breathing)\033[0m\n" +
				"board \033[1;32m●\033[0m x\n" +
				"board \033[1;37m●\033[0m " + boot.Text + "\n"},
	} {
		var out bytes.Buffer
		s := &screen{out: &out, terminal: row.terminal, light: "37"}
		s.mute(row.muted)
		for _, line := range row.lines {
			s.console(line)
		}
		if out.String() != row.want {
			t.Errorf("%s:\n%q, want\n%q", row.what, out.String(), row.want)
		}
	}
}
