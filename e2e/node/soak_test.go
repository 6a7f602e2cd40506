package node

import (
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
)

// soakGrowth is what the heap in use may differ by, bytes: the tables of HPACK
// come and go with what the server sends.
const soakGrowth = 1024

// SOAK=1h go test -timeout 2h -run TestSoak: a board that is left alone for so
// long uses no more memory at the end than at the beginning.
func TestSoak(t *testing.T) {
	span, err := time.ParseDuration(os.Getenv("SOAK"))
	if err != nil {
		t.Skip("SOAK says no duration, for instance 1h")
	}
	onBoards(t, func(t *testing.T, c *circuit, name string) {
		s, o := inCluster(t, sharedCluster(t), name)
		c.Start(t, s)
		o.nodeReady(t, name, core.ConditionTrue)
		var used []int
		for end := time.Now().Add(span); time.Now().Before(end); time.Sleep(span / 60) {
			bytes, err := strconv.Atoi(c.status(t)["heap-used"])
			if err != nil {
				t.Fatal(err)
			}
			used = append(used, bytes)
		}
		third := len(used) / 3
		first, last := slices.Max(used[:third]), slices.Max(used[len(used)-third:])
		status := c.status(t)
		t.Logf("%v: %s renewals, %s connections, heap in use at most %d in the first third, %d in the last, peak %s",
			span, status["renewals"], status["connections"], first, last, status["heap-peak"])
		if last > first+soakGrowth {
			t.Errorf("the heap in use grew: %v", used)
		}
		if status["connections"] != "1" || c.board.Boots() != c.boots {
			t.Errorf("%s connections, %d boots of which %d were wanted", status["connections"], c.board.Boots(), c.boots)
		}
	})
}
