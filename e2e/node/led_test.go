package node

import (
	"strconv"
	"testing"

	"femtokubelet.dev/e2e/board"
)

// at125MIPS makes QEMU's clock go by instructions, 8 ns each, as fast as an
// RP2040 runs: however busy this machine is, the board sees no other time.
const at125MIPS = 3

// maxLEDGap is the longest time without a look at the LED that does not spoil
// its rhythm, ms.
const maxLEDGap = 50

// The LED keeps its rhythm while the board is at work on a TLS handshake, which
// takes most of a second.
func TestLEDKeepsItsRhythm(t *testing.T) {
	onBoards(t, func(t *testing.T, c *circuit, name string) {
		shift := at125MIPS
		c.has(t, board.Options{Shift: &shift})
		s := newStage(t)
		c.Start(t, s.node(t, name))
		var status map[string]string
		until(t, patience, "the board is Ready", func() bool {
			status = c.status(t)
			return status["ready-busy-us"] != "0"
		})
		number := func(key string) int {
			n, err := strconv.Atoi(status[key])
			if err != nil {
				t.Fatalf("status has %s %q", key, status[key])
			}
			return n
		}
		busy, gap := number("ready-busy-us")/1000, number("led-gap-ms")
		t.Logf("%d ms of work until the node was Ready, at most %d ms without a look at the LED", busy, gap)
		if busy < 4*maxLEDGap {
			t.Errorf("that was no handshake: it would say nothing")
		}
		if gap == 0 || gap > maxLEDGap {
			t.Errorf("%d ms without a look at the LED, %d at most would do", gap, maxLEDGap)
		}
	})
}
