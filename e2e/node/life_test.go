package node

import (
	"fmt"
	"strings"
	"testing"
	"time"

	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestNodeBecomesReady(t *testing.T) {
	onBodies(t, 0, func(t *testing.T, b Body, name string) {
		s, o := inCluster(t, sharedCluster(t), name)
		began := time.Now()
		b.Start(t, s)
		o.nodeReady(t, name, core.ConditionTrue)
		t.Logf("Ready %v after the start", time.Since(began).Round(time.Millisecond))
	})
}

// The Node line by line, as it is after the first status.
func TestNodeObjectSaysWhatIsTrue(t *testing.T) {
	onBodies(t, 0, func(t *testing.T, b Body, name string) {
		s, o := inCluster(t, sharedCluster(t), name)
		s.Labels = map[string]string{"example.com/shelf": "3", "node.kubernetes.io/instance-type": "tiny"}
		b.Start(t, s)
		const heap = "femtokubelet.dev/free-heap-bytes"
		n := o.node(t, name, "Ready, with "+heap, func(n *core.Node) bool {
			return readyIs(core.ConditionTrue)(n) && n.Annotations[heap] != ""
		})
		checkLabels(t, n)
		checkResources(t, n, b.Kind().resources)
		checkSystemInfo(t, n)
		checkConditions(t, n)
		var free int
		if _, err := fmt.Sscan(n.Annotations[heap], &free); err != nil || free < 1024 || free > 1<<20 {
			t.Errorf("free heap %q", n.Annotations[heap])
		}
		var address []string
		for _, a := range n.Status.Addresses {
			address = append(address, fmt.Sprintf("%s %s", a.Type, a.Address))
		}
		if got := strings.Join(address, ", "); got != "InternalIP "+b.Kind().address+", Hostname "+name {
			t.Errorf("addresses %s", got)
		}
	})
}

func checkLabels(t *testing.T, n *core.Node) {
	t.Helper()
	for key, want := range map[string]string{
		"kubernetes.io/hostname":           n.Name,
		"kubernetes.io/os":                 "none",
		"kubernetes.io/arch":               n.Status.NodeInfo.Architecture,
		"example.com/shelf":                "3",
		"node.kubernetes.io/instance-type": "tiny",
	} {
		if n.Labels[key] != want || want == "" {
			t.Errorf("label %s=%q, want %q", key, n.Labels[key], want)
		}
	}
	ours := 0
	for _, taint := range n.Spec.Taints {
		if taint.Key == "femtokubelet.dev/node" && taint.Value == "true" && taint.Effect == core.TaintEffectNoSchedule {
			ours++
		}
	}
	if ours != 1 {
		t.Errorf("taints %v", n.Spec.Taints)
	}
}

func checkResources(t *testing.T, n *core.Node, want string) {
	t.Helper()
	for _, list := range []core.ResourceList{n.Status.Capacity, n.Status.Allocatable} {
		got := fmt.Sprintf("%s %s %s of %d", list.Cpu(), list.Memory(), list.Pods(), len(list))
		if got != want {
			t.Errorf("resources %s, want %s", got, want)
		}
	}
}

func checkSystemInfo(t *testing.T, n *core.Node) {
	t.Helper()
	i := n.Status.NodeInfo
	if i.OperatingSystem != "none" {
		t.Errorf("operating system %q", i.OperatingSystem)
	}
	for what, got := range map[string][2]string{
		"kubelet version":   {i.KubeletVersion, "v1."},
		"container runtime": {i.ContainerRuntimeVersion, "none://"},
		"OS image":          {i.OSImage, "femtokubelet "},
		"kernel":            {i.KernelVersion, ""},
		"architecture":      {i.Architecture, ""},
		"boot ID":           {i.BootID, ""},
	} {
		if got[0] == "" || !strings.HasPrefix(got[0], got[1]) {
			t.Errorf("%s %q, want %s…", what, got[0], got[1])
		}
	}
}

func checkConditions(t *testing.T, n *core.Node) {
	t.Helper()
	// Empty: anything sane will do, since it depends on the machine.
	want := map[core.NodeConditionType][2]string{
		"Ready":              {"True", "KubeletReady"},
		"MemoryPressure":     {"False", "KubeletHasSufficientMemory"},
		"DiskPressure":       {"False", "KubeletHasNoDiskPressure"},
		"PIDPressure":        {"False", "KubeletHasSufficientPID"},
		"NetworkUnavailable": {"False", "NoPodNetwork"},
		"Vibes":              {"", ""},
		"Caffeinated":        {"True", "FreshlyBrewed"},
		"Existential":        {"False", "Innocent"},
		"Peckish":            {"", ""},
		"Haunted":            {"False", "Calm"},
	}
	if len(n.Status.Conditions) != len(want) {
		t.Errorf("%d conditions, want %d", len(n.Status.Conditions), len(want))
	}
	for _, c := range n.Status.Conditions {
		w, known := want[c.Type]
		if !known || (w[0] != "" && string(c.Status) != w[0]) || (w[1] != "" && c.Reason != w[1]) {
			t.Errorf("condition %s=%s, reason %s, want %v", c.Type, c.Status, c.Reason, w)
		}
		if c.Reason == "" || c.Message == "" {
			t.Errorf("condition %s has no reason or no message", c.Type)
		}
		const old = 5 * time.Minute
		if time.Since(c.LastHeartbeatTime.Time).Abs() > old || time.Since(c.LastTransitionTime.Time).Abs() > old {
			t.Errorf("condition %s: heartbeat %v, transition %v", c.Type, c.LastHeartbeatTime, c.LastTransitionTime)
		}
	}
}

func TestLeaseIsRenewed(t *testing.T) {
	onBodies(t, 0, func(t *testing.T, b Body, name string) {
		s, o := inCluster(t, sharedCluster(t), name)
		s.LeaseSeconds = 0
		b.Start(t, s)
		n := o.nodeReady(t, name, core.ConditionTrue)
		first := o.lease(t, name, "held", func(l *coordination.Lease) bool { return l.Spec.RenewTime != nil })
		if holder := *first.Spec.HolderIdentity; holder != name {
			t.Errorf("holder %q", holder)
		}
		if duration := *first.Spec.LeaseDurationSeconds; duration != 40 {
			t.Errorf("duration %d s, want 40", duration)
		}
		checkOwner(t, first, n)
		second := o.lease(t, name, "renewed", renewedAfter(first))
		t.Logf("renewed %v later", second.Spec.RenewTime.Sub(first.Spec.RenewTime.Time).Round(time.Millisecond))
		checkOwner(t, second, n)
	})
}

func checkOwner(t *testing.T, l *coordination.Lease, n *core.Node) {
	t.Helper()
	want := meta.OwnerReference{APIVersion: "v1", Kind: "Node", Name: n.Name, UID: n.UID}
	if len(l.OwnerReferences) != 1 || l.OwnerReferences[0] != want {
		t.Errorf("owners %+v, want %+v", l.OwnerReferences, want)
	}
}

func renewedAfter(earlier *coordination.Lease) func(*coordination.Lease) bool {
	return func(l *coordination.Lease) bool {
		return l.Spec.RenewTime != nil && l.Spec.RenewTime.After(earlier.Spec.RenewTime.Time)
	}
}

// renewTime grows over restarts, too, whatever the clock said before.
func TestKilledNodeTurnsUnknownAndComesBack(t *testing.T) {
	onBodies(t, 0, func(t *testing.T, b Body, name string) {
		s, o := inCluster(t, sharedCluster(t), name)
		b.Start(t, s)
		first := o.nodeReady(t, name, core.ConditionTrue)
		lease := o.lease(t, name, "held", func(l *coordination.Lease) bool { return l.Spec.RenewTime != nil })
		b.Kill(t)
		killed := time.Now()
		lost := o.nodeReady(t, name, core.ConditionUnknown)
		t.Logf("Unknown %v after SIGKILL", time.Since(killed).Round(time.Millisecond))
		if reason := condition(lost, core.NodeReady).Reason; reason != "NodeStatusUnknown" {
			t.Errorf("reason %s", reason)
		}
		began := time.Now()
		b.Start(t, s)
		again := o.nodeReady(t, name, core.ConditionTrue)
		t.Logf("Ready again %v after the start", time.Since(began).Round(time.Millisecond))
		if again.UID != first.UID {
			t.Error("the Node was made anew")
		}
		if reason := condition(again, core.NodeReady).Reason; reason != "KubeletReady" {
			t.Errorf("reason %s", reason)
		}
		o.lease(t, name, "renewed", renewedAfter(lease))
		for _, kind := range []core.NodeConditionType{core.NodeMemoryPressure, core.NodeDiskPressure, core.NodePIDPressure} {
			if c := condition(again, kind); c.Status != core.ConditionFalse {
				t.Errorf("%s is still %s", kind, c.Status)
			}
		}
	})
}

func TestStoppedNodeSaysSoAtOnce(t *testing.T) {
	onBodies(t, canLeave, func(t *testing.T, b Body, name string) {
		s, o := inCluster(t, sharedCluster(t), name)
		b.Start(t, s)
		o.nodeReady(t, name, core.ConditionTrue)
		began := time.Now()
		code := b.Stop(t)
		took := time.Since(began)
		if code != 0 {
			t.Errorf("exit code %d", code)
		}
		n, err := o.core.Nodes().Get(t.Context(), name, meta.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		// Ours, not the node lifecycle controller's, which says Unknown.
		ready := condition(n, core.NodeReady)
		if ready.Status != core.ConditionFalse || ready.Reason != "KubeletNotReady" || ready.Message == "" {
			t.Errorf("Ready=%s, reason %s, %q", ready.Status, ready.Reason, ready.Message)
		}
		t.Logf("left within %v", took.Round(time.Millisecond))
	})
}

func TestDeletedLeaseIsCreatedAgain(t *testing.T) {
	onBodies(t, 0, func(t *testing.T, b Body, name string) {
		s, o := inCluster(t, sharedCluster(t), name)
		b.Start(t, s)
		n := o.nodeReady(t, name, core.ConditionTrue)
		first := o.lease(t, name, "held", func(l *coordination.Lease) bool { return l.Spec.RenewTime != nil })
		if err := o.leases().Delete(t.Context(), name, meta.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		second := o.lease(t, name, "another one", func(l *coordination.Lease) bool { return l.UID != first.UID })
		t.Logf("created %v after the deletion", time.Since(began).Round(time.Millisecond))
		checkOwner(t, second, n)
		if !second.Spec.RenewTime.After(first.Spec.RenewTime.Time) {
			t.Error("renewTime did not grow")
		}
	})
}

func TestDeletedNodeRegistersAgain(t *testing.T) {
	onBodies(t, 0, func(t *testing.T, b Body, name string) {
		s, o := inCluster(t, sharedCluster(t), name)
		b.Start(t, s)
		first := o.nodeReady(t, name, core.ConditionTrue)
		o.lease(t, name, "held", ownedBy(first.UID))
		if err := o.core.Nodes().Delete(t.Context(), name, meta.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		second := o.node(t, name, "another one, Ready", func(n *core.Node) bool {
			return n.UID != first.UID && readyIs(core.ConditionTrue)(n)
		})
		t.Logf("Ready again %v after the deletion", time.Since(began).Round(time.Millisecond))
		checkConditions(t, second)
		o.lease(t, name, "owned by the new Node", ownedBy(second.UID))
	})
}

func ownedBy(uid types.UID) func(*coordination.Lease) bool {
	return func(l *coordination.Lease) bool {
		return len(l.OwnerReferences) == 1 && l.OwnerReferences[0].UID == uid && l.Spec.RenewTime != nil
	}
}
