package node

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// fast settings: a status report every 2 s.
func fast(s settings) settings {
	s.StatusUpdate, s.StatusReport = time.Second, 2*time.Second
	return s
}

// heartbeats watches the Node until its heartbeat moved that many times, and
// fails when a transition time moved whose condition did not flip. The
// conditions as they are at the end come back.
func (o *observer) heartbeats(t *testing.T, name string, count int) []core.NodeCondition {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var before []core.NodeCondition
	var beat meta.Time
	seen := -1
	err := follow(ctx, o.core.Nodes().Watch, name, func(n *core.Node) bool {
		if n == nil || condition(n, core.NodeReady).Status != core.ConditionTrue {
			return false
		}
		checkTransitions(t, before, n.Status.Conditions)
		before = n.Status.Conditions
		if now := condition(n, core.NodeReady).LastHeartbeatTime; !now.Equal(&beat) {
			beat = now
			seen++
		}
		return seen >= count
	})
	if err != nil {
		t.Fatalf("%d heartbeats, want %d: %v", seen, count, err)
	}
	return before
}

// checkTransitions: a condition's transition time moves with its status, and
// with nothing else.
func checkTransitions(t *testing.T, before, after []core.NodeCondition) {
	t.Helper()
	for _, old := range before {
		for _, c := range after {
			if c.Type != old.Type {
				continue
			}
			flipped, moved := c.Status != old.Status, !c.LastTransitionTime.Equal(&old.LastTransitionTime)
			if flipped {
				t.Logf("%s flipped to %s (%s)", c.Type, c.Status, c.Reason)
			} else if moved {
				t.Errorf("%s is %s as before, but since %v, not %v", c.Type, c.Status, c.LastTransitionTime, old.LastTransitionTime)
			}
		}
	}
}

func TestHeartbeatsMoveNoTransition(t *testing.T) {
	onBodies(t, 0, func(t *testing.T, b Body, name string) {
		s, o := inCluster(t, sharedCluster(t), name)
		b.Start(t, fast(s))
		o.nodeReady(t, name, core.ConditionTrue)
		o.heartbeats(t, name, 5)
	})
}

func TestRestartWithinGraceMovesNoTransition(t *testing.T) {
	onBodies(t, 0, func(t *testing.T, b Body, name string) {
		s, o := inCluster(t, sharedCluster(t), name)
		b.Start(t, fast(s))
		o.nodeReady(t, name, core.ConditionTrue)
		before := o.heartbeats(t, name, 1)
		b.Kill(t)
		b.Start(t, fast(s))
		checkTransitions(t, before, o.heartbeats(t, name, 2))
	})
}

// What others wrote to the Node is theirs.
func TestWhatOthersWroteStays(t *testing.T) {
	onBodies(t, 0, func(t *testing.T, b Body, name string) {
		s, o := inCluster(t, sharedCluster(t), name)
		b.Start(t, fast(s))
		o.nodeReady(t, name, core.ConditionTrue)
		o.patch(t, name, "", map[string]any{
			"metadata": map[string]any{
				"labels":      map[string]any{"example.com/team": "blue", "node-role.kubernetes.io/edge": ""},
				"annotations": map[string]any{"example.com/note": "keep me"},
			},
			"spec": map[string]any{"taints": []any{
				map[string]any{"key": "femtokubelet.dev/node", "value": "true", "effect": "NoSchedule"},
				map[string]any{"key": "example.com/reserved", "effect": "NoSchedule"},
			}},
		})
		o.patch(t, name, "status", map[string]any{"status": map[string]any{
			"conditions": []any{map[string]any{"type": "FanBroken", "status": "False", "reason": "FanIsFine"}},
		}})
		check := func(when string) {
			t.Helper()
			o.heartbeats(t, name, 2)
			n, err := o.core.Nodes().Get(t.Context(), name, meta.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			_, role := n.Labels["node-role.kubernetes.io/edge"]
			if n.Labels["example.com/team"] != "blue" || !role || n.Annotations["example.com/note"] != "keep me" {
				t.Errorf("%s: labels %v, annotations %v", when, n.Labels, n.Annotations)
			}
			// The node lifecycle controller has taints of its own.
			ours := slices.ContainsFunc(n.Spec.Taints, hasKey("femtokubelet.dev/node"))
			theirs := slices.ContainsFunc(n.Spec.Taints, hasKey("example.com/reserved"))
			if !ours || !theirs {
				t.Errorf("%s: taints %v", when, n.Spec.Taints)
			}
			if c := condition(n, "FanBroken"); c.Reason != "FanIsFine" {
				t.Errorf("%s: condition FanBroken %+v", when, c)
			}
		}
		check("after status reports")
		b.Kill(t)
		b.Start(t, fast(s))
		check("after a restart")
		if !b.Kind().has(canLeave) {
			return
		}
		leave(t, b)
		b.Start(t, fast(s))
		o.nodeReady(t, name, core.ConditionTrue)
		check("after an orderly leave")
	})
}

func hasKey(key string) func(core.Taint) bool {
	return func(taint core.Taint) bool { return taint.Key == key }
}

func (o *observer) patch(t *testing.T, name, subresource string, change map[string]any) {
	t.Helper()
	data, err := json.Marshal(change)
	if err != nil {
		t.Fatal(err)
	}
	var subresources []string
	if subresource != "" {
		subresources = append(subresources, subresource)
	}
	_, err = o.core.Nodes().Patch(t.Context(), name, types.StrategicMergePatchType, data,
		meta.PatchOptions{}, subresources...)
	if err != nil {
		t.Fatal(err)
	}
}

// An unchanged node sleeps: no busy loop, and next to no wake-ups.
func TestIdleNodeSleeps(t *testing.T) {
	onBodies(t, hasProcess, func(t *testing.T, b Body, name string) {
		s, o := inCluster(t, sharedCluster(t), name)
		b.Start(t, s)
		p := b.(*process)
		o.nodeReady(t, name, core.ConditionTrue)
		b.Journal().wait(t, 0, "lease claimed")
		const period = 10 * time.Second
		before := p.usage(t)
		time.Sleep(period) // it is the period that is measured
		after := p.usage(t)
		cpu, switches := after.cpu-before.cpu, after.switches-before.switches
		t.Logf("in %v: %v of CPU, %d context switches; peak %d KiB resident", period, cpu, switches, after.peakKiB)
		if cpu >= 50*time.Millisecond {
			t.Errorf("%v of CPU in %v", cpu, period)
		}
		if switches > 200 {
			t.Errorf("%d context switches in %v", switches, period)
		}
	})
}
