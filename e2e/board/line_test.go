package board

import (
	"maps"
	"testing"
	"time"
)

func TestParseLine(t *testing.T) {
	for _, row := range []struct {
		raw, level, message string
		since               time.Duration
		fields              map[string]string
	}{
		{"I 12.345 lease claimed lease=a renewals=1\r", "INFO", "lease claimed", 12345 * time.Millisecond,
			map[string]string{"lease": "a", "renewals": "1"}},
		{"> set ser\r\x1b[KW 0.001 the network says error=\"no way out\"\r", "WARN", "the network says", time.Millisecond,
			map[string]string{"error": "no way out"}},
		{`E 1.000 it is a=b that fails key="x=\"y\" \\ \n\t\r\x1b"`, "ERROR", "it is a=b that fails", time.Second,
			map[string]string{"key": "x=\"y\" \\ \n\t\r\x1b"}},
		{"D 1.000 no pairs", "DEBUG", "no pairs", time.Second, nil},
		{`D 1.000 cut key="no end`, "DEBUG", `cut key="no end`, time.Second, nil},
		{`D 1.000 cut key="no end\`, "DEBUG", `cut key="no end\`, time.Second, nil},
		{`D 1.000 odd key="\x1"`, "DEBUG", `odd key="\x1"`, time.Second, nil},
		{`D 1.000 odd key="\q"`, "DEBUG", `odd key="\q"`, time.Second, nil},
		{`I 4294967.295 empty key= two=2`, "INFO", "empty", 4294967295 * time.Millisecond, map[string]string{"key": "", "two": "2"}},
		{"I 1.23 two digits", "", "", 0, nil},
		{"X 1.234 no level", "", "", 0, nil},
		{"I 99999999999999999999.000 too late", "", "", 0, nil},
		{"> status\r", "", "", 0, nil},
		{"", "", "", 0, nil},
	} {
		line := parseLine(row.raw, time.Time{})
		if line.Level != row.level || line.Message != row.message || line.Since != row.since || !maps.Equal(line.Fields, row.fields) {
			t.Errorf("%q: %+v", row.raw, line)
		}
	}
	if text := parseLine("> he\r\x1b[KI 1.000 x\r\r", time.Time{}).Text; text != "I 1.000 x" {
		t.Errorf("%q", text)
	}
}

func TestIsBoot(t *testing.T) {
	for raw, want := range map[string]bool{
		`I 0.012 femtokubelet 0.1.0 machine="mps2-an385 in QEMU" reset=power-on`: true,
		`I 0.012 femtokubelet 0.1.0 machine=x`:                                   false,
		`femtokubelet 0.1.0 reset=power-on`:                                      false,
		`I 0.012 connected reset=power-on`:                                       false,
	} {
		if got := parseLine(raw, time.Time{}).IsBoot(); got != want {
			t.Errorf("%q: %v", raw, got)
		}
	}
}

// Whatever comes, nothing panics and nothing is lost.
func FuzzParseLine(f *testing.F) {
	f.Add("I 12.345 lease claimed lease=a renewals=1\r")
	f.Add(`E 1.000 m key="\x1b\"" k=`)
	f.Fuzz(func(t *testing.T, raw string) {
		line := parseLine(raw, time.Time{})
		if line.Level == "" && line.Fields != nil {
			t.Errorf("%+v", line)
		}
	})
}
