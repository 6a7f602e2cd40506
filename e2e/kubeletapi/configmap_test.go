package kubeletapi

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	rbac "k8s.io/api/rbac/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"femtokubelet.dev/e2e/cluster"
)

// configNamespace is that of deploy/rbac.yaml.
const configNamespace = "femtokubelet"

// regionLen of the memory that ConfigMaps set, bytes.
const regionLen = 1024

// configured is a node that runs with a ConfigMap of its own name.
func configured(t *testing.T, w *world, k *kind, allowed bool, data map[string]string) *node {
	t.Helper()
	n := w.newNode(t, k, settings{LeaseSeconds: quickLease})
	n.settings.ConfigMaps = configNamespace + "/" + n.name
	if allowed {
		n.allowConfigMap(t)
	}
	if data != nil {
		n.create(t, data)
	}
	n.start(t)
	return n
}

// allowConfigMap lets the node read its ConfigMap, by what deploy/rbac.yaml
// says of board-1, and by nothing more.
func (n *node) allowConfigMap(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/rbac.yaml")
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	made := 0
	for _, document := range strings.Split(strings.ReplaceAll(string(text), "board-1", n.name), "\n---\n") {
		var role rbac.Role
		var binding rbac.RoleBinding
		if err := errors.Join(yaml.Unmarshal([]byte(document), &role), yaml.Unmarshal([]byte(document), &binding)); err != nil {
			t.Fatal(err)
		}
		switch role.Kind {
		case "Role":
			_, err = n.client.RbacV1().Roles(configNamespace).Create(ctx, &role, meta.CreateOptions{})
			made++
		case "RoleBinding":
			_, err = n.client.RbacV1().RoleBindings(configNamespace).Create(ctx, &binding, meta.CreateOptions{})
			made++
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if made != 2 {
		t.Fatalf("%d objects in deploy/rbac.yaml are for one node", made)
	}
}

func (n *node) create(t *testing.T, data map[string]string) {
	t.Helper()
	_, err := n.client.CoreV1().ConfigMaps(configNamespace).Create(soon(t),
		&core.ConfigMap{ObjectMeta: meta.ObjectMeta{Name: n.name}, Data: data}, meta.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// patch changes the ConfigMap as kubectl patch does; an empty value takes its
// key away.
func (n *node) patch(t *testing.T, data map[string]string) *core.ConfigMap {
	t.Helper()
	values := map[string]any{}
	for key, value := range data {
		values[key] = value
		if value == "" {
			values[key] = nil
		}
	}
	body, err := json.Marshal(map[string]any{"data": values})
	if err != nil {
		t.Fatal(err)
	}
	changed, err := n.client.CoreV1().ConfigMaps(configNamespace).Patch(soon(t), n.name, types.MergePatchType, body, meta.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

// region reads the whole of it.
func (a *asker) region() ([]byte, error) {
	got, err := a.ask(context.Background(), http.MethodGet, "/femto/memory")
	if err == nil && (got.status != http.StatusOK || len(got.body) != regionLen) {
		err = fmt.Errorf("/femto/memory: %d, %d bytes", got.status, len(got.body))
	}
	return []byte(got.body), err
}

// holds waits until the region begins with bytes.
func (n *node) holds(t *testing.T, a *asker, want ...byte) time.Duration {
	t.Helper()
	return eventually(t, fmt.Sprintf("memory %x", want), func(context.Context) error {
		got, err := a.region()
		if err == nil && !slices.Equal(got[:len(want)], want) {
			err = fmt.Errorf("it holds %x", got[:len(want)])
		}
		return err
	})
}

// state waits until the ConfigMap is in a state, and returns what is told of it.
func (n *node) state(t *testing.T, a *asker, want string) report {
	t.Helper()
	var r report
	eventually(t, "the ConfigMap is "+want, func(context.Context) (err error) {
		if r, err = a.report(); err == nil && (len(r.ConfigMaps) != 1 || !strings.EqualFold(r.ConfigMaps[0].State, want)) {
			err = fmt.Errorf("%+v", r.ConfigMaps)
		}
		return err
	})
	return r
}

// TestConfigMapSetsMemory: what an operator patches is in the region at once,
// and between changes nobody asks for anything.
func TestConfigMapSetsMemory(t *testing.T) {
	onBodies(t, func(t *testing.T, k *kind) {
		n := configured(t, ourWorld(t), k, true, map[string]string{"memory_values": "0=0x42,1=0x43"})
		a := n.asAPIServer(t)
		n.holds(t, a, 0x42, 0x43, 0)
		n.patch(t, map[string]string{"memory_values": "0=1,0x2=0xff,1023=7"})
		n.holds(t, a, 1, 0x43, 0xff) // what is not named stays
		if got, err := a.region(); err != nil || got[1023] != 7 {
			t.Errorf("%v, %v", got, err)
		}

		from := auditEnd(t, n.AuditLog())
		const changes = 100
		var took []time.Duration
		for i := range changes {
			value := byte(i + 10)
			began := time.Now()
			n.patch(t, map[string]string{"memory_values": fmt.Sprintf("0=%d", value)})
			n.seen(t, a, value)
			took = append(took, time.Since(began))
			pause(t.Context(), 20*time.Millisecond)
		}
		slices.Sort(took)
		t.Logf("from the patch's beginning to its bytes in memory: p50 %v, p90 %v, the slowest %v",
			rounded(took[changes/2]), rounded(took[changes*9/10]), rounded(took[changes-1]))
		if took[changes/2] > 200*time.Millisecond {
			t.Errorf("p50 is %v", took[changes/2])
		}
		asked := n.askedForConfigMaps(t, from)
		if len(asked) > 0 {
			t.Errorf("while %d changes arrived, the node asked for ConfigMaps: %v", changes, asked)
		}
		n.body.check(t)
	})
}

// seen waits for the first byte without a pause.
func (n *node) seen(t *testing.T, a *asker, want byte) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		got, err := a.ask(context.Background(), http.MethodGet, "/femto/memory?offset=0&length=1")
		if err != nil || got.status != http.StatusOK || len(got.body) != 1 {
			t.Fatalf("/femto/memory: %d %q, %v", got.status, got.body, err)
		}
		if got.body[0] == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("memory holds %d, want %d", got.body[0], want)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// auditEnd is how long the audit log is.
func auditEnd(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// askedForConfigMaps lists the node's requests for them in the audit log, from
// a place on.
func (n *node) askedForConfigMaps(t *testing.T, from int64) (list []string) {
	t.Helper()
	file, err := os.Open(n.AuditLog())
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.Seek(from, 0); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event struct {
			Stage, Verb, RequestURI string
			User                    struct{ Username string }
			ResponseStatus          struct{ Code int }
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			continue // the last line may be half
		}
		if event.User.Username == "system:node:"+n.name && strings.Contains(event.RequestURI, "/configmaps?") {
			list = append(list, fmt.Sprintf("%s %s %s %d", event.Stage, event.Verb, event.RequestURI, event.ResponseStatus.Code))
		}
	}
	return list
}

// TestManyChangesInARow: the last one wins, and nobody ever sees half of one.
func TestManyChangesInARow(t *testing.T) {
	onBodies(t, func(t *testing.T, k *kind) {
		n := configured(t, ourWorld(t), k, true, map[string]string{"memory_values": "0=0"})
		a := n.asAPIServer(t)
		changes := long(200, 1000)
		began := time.Now()
		done := make(chan error, 1)
		ctx, stop := context.WithCancel(t.Context())
		reads, distinct := 0, map[byte]bool{}
		go func() {
			for ctx.Err() == nil {
				got, err := a.region()
				if err != nil {
					// A document that takes several pieces breaks off when the
					// region changes amid it.
					pause(ctx, time.Millisecond)
					continue
				}
				reads++
				distinct[got[0]] = true
				for i := 1; i < len(rows); i++ {
					if got[rows[i]] != got[rows[0]] {
						done <- fmt.Errorf("half of a change: %d at %d, %d at %d", got[rows[0]], rows[0], got[rows[i]], rows[i])
						return
					}
				}
			}
			done <- nil
		}()
		for i := 1; i <= changes; i++ {
			n.patch(t, map[string]string{"memory_values": everywhere(byte(i % 251))})
		}
		last := byte(changes % 251)
		n.holds(t, n.asAPIServer(t), last)
		took := time.Since(began)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		gap, _ := n.leases.gap(began)
		r, err := a.report()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d changes in %v; %d reads saw %d of them; %+v; the longest gap between renewals: %v",
			changes, rounded(took), reads, len(distinct), r.ConfigMaps, rounded(gap))
		if gap > longestGap {
			t.Errorf("the longest gap was %v", gap)
		}
		n.body.check(t)
	})
}

// rows are places all over the region, one of them its last byte.
var rows = []int{0, 1, 100, 255, 256, 511, 512, 700, 900, 1023}

func everywhere(value byte) string {
	var parts []string
	for _, at := range rows {
		parts = append(parts, fmt.Sprintf("%d=%d", at, value))
	}
	return strings.Join(parts, ",")
}

// TestBadValueIsRefusedWhole, and everybody who looks is told.
func TestBadValueIsRefusedWhole(t *testing.T) {
	onBodies(t, func(t *testing.T, k *kind) {
		w := ourWorld(t)
		n := configured(t, w, k, true, map[string]string{"memory_values": "0=1,1=2"})
		a := n.asAPIServer(t)
		n.holds(t, a, 1, 2)
		for _, bad := range []map[string]string{
			{"memory_values": "0=9,1=256"},
			{"memory_values": "0=9,1024=1"},
			{"memory_values": "0=9,1"},
			{"memory_values": "0=9,1=0x"},
			{"memory_values": "0=9", "log_level": "loud"},
			{"memory_values": "0=9", "led_brightness": "101"},
			{"memory_values": "0=9", "status_period": "never"},
			{"memory_values": strings.Repeat("0=9,", 5000)},
		} {
			n.patch(t, map[string]string{"memory_values": "0=1,1=2", "log_level": "", "led_brightness": "", "status_period": ""})
			n.state(t, a, "applied")
			n.patch(t, bad)
			r := n.state(t, a, "refused")
			if r.ConfigMaps[0].Message == "" {
				t.Errorf("%.60v: no word about what is wrong", bad)
			}
			if got, err := a.region(); err != nil || got[0] != 1 || got[1] != 2 {
				t.Errorf("%.60v: memory begins with %x, %v", bad, got[:2], err)
			}
		}
		eventually(t, "kubectl describe node tells", func(ctx context.Context) error {
			text, err := w.KubectlContext(ctx, "", "describe", "node", n.name)
			if err == nil && (!strings.Contains(text, "Warning") || !strings.Contains(text, "memory_values")) {
				_, events, _ := strings.Cut(text, "Events:")
				err = fmt.Errorf("Events: %s", events)
			}
			return err
		})
		// Mended, it counts.
		n.patch(t, map[string]string{"memory_values": "0=3", "log_level": "", "led_brightness": "", "status_period": ""})
		n.holds(t, a, 3, 2)
		events, err := w.client.CoreV1().Events("").List(soon(t), meta.ListOptions{FieldSelector: "involvedObject.name=" + n.name})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events.Items {
			t.Logf("event: %s %s x%d %s", e.Type, e.Reason, e.Count, e.Message)
		}
		n.body.check(t)
	})
}

// TestOptionsChangeAtRunTime, and go back to the settings' own.
func TestOptionsChangeAtRunTime(t *testing.T) {
	onBodies(t, func(t *testing.T, k *kind) {
		n := configured(t, ourWorld(t), k, true, map[string]string{})
		a := n.asAPIServer(t)
		before := n.state(t, a, "applied").Options
		n.patch(t, map[string]string{"log_level": "warn", "led_brightness": "50", "status_period": "20s", "unknown": "x"})
		var r report
		eventually(t, "options", func(context.Context) (err error) {
			if r, err = a.report(); err == nil && (r.Options.LogLevel != "warn" || r.Options.LEDBrightness != 50 || r.Options.StatusPeriod != 20000) {
				err = fmt.Errorf("%+v %+v", r.Options, r.ConfigMaps)
			}
			return err
		})
		n.patch(t, map[string]string{"log_level": "", "led_brightness": "", "status_period": ""})
		eventually(t, "options", func(context.Context) (err error) {
			if r, err = a.report(); err == nil && r.Options != before {
				err = fmt.Errorf("%+v", r.Options)
			}
			return err
		})
		n.body.check(t)
	})
}

// TestConfigurationSurvivesARestartWithoutAPIServer.
func TestConfigurationSurvivesARestartWithoutAPIServer(t *testing.T) {
	onBodies(t, func(t *testing.T, k *kind) {
		n := configured(t, ourWorld(t), k, true, map[string]string{"memory_values": "0=1"})
		a := n.asAPIServer(t)
		n.holds(t, a, 1)
		n.patch(t, map[string]string{"memory_values": "0=5,1=6,1023=7"})
		n.holds(t, a, 5, 6)
		n.where = n.address(t)
		time.Sleep(keepWithin)
		a.hangUp()
		n.body.kill(t)
		if err := n.api.Refuse(true); err != nil {
			t.Fatal(err)
		}
		n.api.ResetAll()
		n.body.start(t, n)
		kept := func() {
			t.Helper()
			n.holds(t, a, 5, 6, 0)
			if got, err := a.region(); err != nil || got[1023] != 7 {
				t.Errorf("the last byte: %v", err)
			}
		}
		if k.hasClock {
			kept()
		} else {
			// Whether a client's certificate is valid it cannot say yet.
			eventually(t, "it answers", answersWith(a, http.StatusUnauthorized))
		}
		// The API server is back, the object is not: what was kept counts.
		maps := n.client.CoreV1().ConfigMaps(configNamespace)
		if err := maps.Delete(soon(t), n.name, meta.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := n.api.Refuse(false); err != nil {
			t.Fatal(err)
		}
		n.ready(t)
		n.state(t, a, "absent")
		kept()
		n.create(t, map[string]string{"memory_values": "1=9"})
		n.holds(t, a, 5, 9)
		n.body.check(t)
	})
}

// keepWithin is how long a node may wait before it writes to its flash.
const keepWithin = 6 * time.Second

// TestConfigMapComesAndGoes: it may be made late, deleted and made again.
func TestConfigMapComesAndGoes(t *testing.T) {
	onBodies(t, func(t *testing.T, k *kind) {
		n := configured(t, ourWorld(t), k, true, nil)
		a := n.asAPIServer(t)
		n.state(t, a, "absent")
		n.create(t, map[string]string{"memory_values": "0=1", "log_level": "warn"})
		n.holds(t, a, 1)
		maps := n.client.CoreV1().ConfigMaps(configNamespace)
		if err := maps.Delete(soon(t), n.name, meta.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		n.state(t, a, "absent")
		n.holds(t, a, 1) // bytes stay as they are
		n.create(t, map[string]string{"memory_values": "0=2"})
		n.holds(t, a, 2)
		n.body.check(t)
	})
}

// TestMissingRightsAreTold, and soon enough it works once they are given.
func TestMissingRightsAreTold(t *testing.T) {
	onBodies(t, func(t *testing.T, k *kind) {
		n := configured(t, ourWorld(t), k, false, map[string]string{"memory_values": "0=1"})
		a := n.asAPIServer(t)
		r := n.state(t, a, "absent")
		if why := r.ConfigMaps[0].Message; !strings.Contains(why, "no right") {
			t.Errorf("why: %q", why)
		}
		began := time.Now()
		from := auditEnd(t, n.AuditLog())
		n.allowConfigMap(t)
		n.holds(t, a, 1)
		t.Logf("after %v and %d requests", rounded(time.Since(began)), len(n.askedForConfigMaps(t, from)))
		n.ready(t)
		n.body.check(t)
	})
}

// TestOutageLosesNoChange: while the node is away the object changes, and its
// history is gone when it comes back: the API server was started again, and
// answers an old resourceVersion with 410 Gone.
func TestOutageLosesNoChange(t *testing.T) {
	onBodies(t, func(t *testing.T, k *kind) {
		w := secondCluster(t, cluster.Options{})
		n := configured(t, w, k, true, map[string]string{"memory_values": "0=1"})
		a := n.asAPIServer(t)
		n.holds(t, a, 1)
		// The same API server, history and all.
		n.away(t, true)
		n.patch(t, map[string]string{"memory_values": "0=2,1=2"})
		n.away(t, false)
		n.holds(t, a, 2, 2)

		// A restart under a watch that goes on.
		if err := w.StopAPIServer(); err != nil {
			t.Fatal(err)
		}
		if err := w.StartAPIServer(soon(t)); err != nil {
			t.Fatal(err)
		}
		n.patch(t, map[string]string{"memory_values": "1=3"})
		n.holds(t, a, 2, 3)

		// Without its history: changes that no API server remembers.
		n.away(t, true)
		for i := range byte(3) {
			n.patch(t, map[string]string{"memory_values": fmt.Sprintf("2=%d", i)})
		}
		if err := w.KillAPIServer(); err != nil {
			t.Fatal(err)
		}
		if err := w.StartAPIServer(soon(t)); err != nil {
			t.Fatal(err)
		}
		n.patch(t, map[string]string{"memory_values": "0=4,1=5"})
		from := auditEnd(t, w.AuditLog())
		n.away(t, false)
		n.holds(t, a, 4, 5)
		n.ready(t)
		asked := n.askedForConfigMaps(t, from)
		t.Logf("asked: %v", asked)
		if !slices.ContainsFunc(asked, func(request string) bool { return strings.Contains(request, " list ") }) {
			t.Error("the history was there still: this story shows nothing")
		}
		r, err := a.report()
		if err != nil || len(r.ConfigMaps) != 1 || r.ConfigMaps[0].Refused != 0 {
			t.Errorf("%+v, %v", r.ConfigMaps, err)
		}
		n.body.check(t)
	})
}

// away takes the API server from the node, or gives it back.
func (n *node) away(t *testing.T, away bool) {
	t.Helper()
	if err := n.api.Refuse(away); err != nil {
		t.Fatal(err)
	}
	if away {
		n.api.ResetAll()
	}
}
