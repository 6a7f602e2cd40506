package board

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Line is one line of the console: of the log, or of what commands print.
type Line struct {
	Arrived time.Time
	Text    string // without what a terminal obeys
	Level   string // "ERROR", "WARN", "INFO", "DEBUG"; empty: no line of the log
	Since   time.Duration
	Message string
	Fields  map[string]string
}

// eraseLine comes before a line of the log: it takes the prompt away, and what
// was being typed.
const eraseLine = "\r\x1b[K"

var (
	logLine = regexp.MustCompile(`^([EWID]) (\d+)\.(\d{3}) (.+)$`)
	pair    = regexp.MustCompile(` [a-z][a-z0-9_.-]*=`)
	levels  = map[string]string{"E": "ERROR", "W": "WARN", "I": "INFO", "D": "DEBUG"}
)

// parseLine takes what stood before a line feed.
func parseLine(raw string, arrived time.Time) Line {
	text := raw
	if at := strings.LastIndex(text, eraseLine); at >= 0 {
		text = text[at+len(eraseLine):]
	}
	text = strings.TrimRight(text, "\r")
	line := Line{Arrived: arrived, Text: text}
	parts := logLine.FindStringSubmatch(text)
	if parts == nil {
		return line
	}
	seconds, err := strconv.Atoi(parts[2])
	if err != nil {
		return line
	}
	millis, _ := strconv.Atoi(parts[3]) // three digits
	line.Level = levels[parts[1]]
	line.Since = time.Duration(seconds)*time.Second + time.Duration(millis)*time.Millisecond
	line.Message, line.Fields = splitPairs(parts[4])
	return line
}

// splitPairs finds where the message ends: at the first place from which on
// there are only pairs.
func splitPairs(text string) (string, map[string]string) {
	for _, at := range pair.FindAllStringIndex(text, -1) {
		if fields, ok := parsePairs(text[at[0]:]); ok {
			return text[:at[0]], fields
		}
	}
	return text, nil
}

// parsePairs reads ` key=value key="value"`, as src/base/log_text.c writes it.
func parsePairs(text string) (map[string]string, bool) {
	fields := map[string]string{}
	for text != "" {
		at := pair.FindStringIndex(text)
		if at == nil || at[0] != 0 {
			return nil, false
		}
		key := text[1 : at[1]-1]
		text = text[at[1]:]
		if strings.HasPrefix(text, `"`) {
			value, rest, ok := unquote(text[1:])
			if !ok {
				return nil, false
			}
			fields[key], text = value, rest
			continue
		}
		end := strings.IndexByte(text, ' ')
		if end < 0 {
			end = len(text)
		}
		fields[key], text = text[:end], text[end:]
	}
	return fields, true
}

// unquote reads up to the closing quote, and returns what follows it.
func unquote(text string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return b.String(), text[i+1:], true
		case c != '\\':
			b.WriteByte(c)
		default:
			n := unescape(&b, text[i+1:])
			if n == 0 {
				return "", "", false
			}
			i += n
		}
	}
	return "", "", false
}

// unescape writes what an escape stands for, and returns its length without
// the backslash, 0 if there is no such.
func unescape(b *strings.Builder, text string) int {
	if text == "" {
		return 0
	}
	switch text[0] {
	case '"', '\\':
		b.WriteByte(text[0])
	case 'n':
		b.WriteByte('\n')
	case 't':
		b.WriteByte('\t')
	case 'r':
		b.WriteByte('\r')
	case 'x':
		if len(text) < 3 {
			return 0
		}
		code, err := strconv.ParseUint(text[1:3], 16, 8)
		if err != nil {
			return 0
		}
		b.WriteByte(byte(code))
		return 3
	default:
		return 0
	}
	return 1
}

// IsBoot says whether a board's program began anew with this line.
func (l Line) IsBoot() bool {
	return l.Level != "" && strings.HasPrefix(l.Message, "femtokubelet ") && l.Fields["reset"] != ""
}
