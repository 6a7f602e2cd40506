package node

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"

	"femtokubelet.dev/e2e/board"
	"femtokubelet.dev/e2e/cluster"
	"femtokubelet.dev/e2e/wire"
)

// reset pushes the button and waits until the program has begun again.
func (c *circuit) reset(t *testing.T) {
	t.Helper()
	from := c.board.Now()
	if err := c.board.Reset(); err != nil {
		t.Fatal(err)
	}
	c.awaitBoot(t, from)
}

func held(l *coordination.Lease) bool { return l.Spec.RenewTime != nil }

func transitions(l *coordination.Lease) int32 {
	if l.Spec.LeaseTransitions == nil {
		return 0
	}
	return *l.Spec.LeaseTransitions
}

// Reset at any instant, the same node comes back: while it works, and while it
// was about to come back from another reset.
func TestResetAtRandomInstants(t *testing.T) {
	times := 5
	if full {
		times = 50
	}
	onBoards(t, func(t *testing.T, c *circuit, name string) {
		s, o := inCluster(t, sharedCluster(t), name)
		seed := rand.Uint64()
		t.Logf("instants of seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 0))
		upTo := func(most time.Duration) { time.Sleep(time.Duration(random.Int64N(int64(most)))) }

		c.Start(t, s)
		before := o.nodeReady(t, name, core.ConditionTrue)
		lease := o.lease(t, name, "held", held)
		boots := map[string]bool{before.Status.NodeInfo.BootID: true}
		for n := range times {
			upTo(3 * time.Second) // the instant
			from := c.journal.now()
			c.reset(t)
			if n%2 == 1 {
				upTo(1500 * time.Millisecond) // amid DHCP, TLS, registration
				c.reset(t)
			}
			c.journal.wait(t, from, "lease claimed")
			c.journal.wait(t, from, "status reported")
			now := o.node(t, name, "Ready, of this boot", func(n *core.Node) bool {
				return readyIs(core.ConditionTrue)(n) && !boots[n.Status.NodeInfo.BootID]
			})
			boots[now.Status.NodeInfo.BootID] = true
			if now.UID != before.UID || now.Status.NodeInfo.MachineID != before.Status.NodeInfo.MachineID {
				t.Fatalf("after reset %d another node: UID %s, machine %s", n, now.UID, now.Status.NodeInfo.MachineID)
			}
			renewed := o.lease(t, name, "renewed", renewedAfter(lease))
			if renewed.UID != lease.UID || *renewed.Spec.HolderIdentity != name || transitions(renewed) != transitions(lease) {
				t.Fatalf("after reset %d the Lease is %+v, and was %+v", n, renewed, lease)
			}
			lease = renewed
			c.CheckHealth(t)
		}
	})
}

const resetReason = "femtokubelet.dev/reset-reason"

// Why a board was reset stands at its Node, and in its log.
func TestResetReasonIsAnnotated(t *testing.T) {
	onBoards(t, func(t *testing.T, c *circuit, name string) {
		s, o := inCluster(t, sharedCluster(t), name)
		expect := func(want string) {
			t.Helper()
			o.node(t, name, resetReason+"="+want, func(n *core.Node) bool { return n.Annotations[resetReason] == want })
			if is := c.status(t)["reset"]; is != want {
				t.Errorf("status says %q", is)
			}
		}
		c.Start(t, s) // provisions
		expect("reboot")
		c.reset(t)
		expect("reset pin")
		c.Kill(t)
		c.Start(t, s)
		expect("power-on")
	})
}

// The cable is pulled, and plugged in again.
func TestCablePulled(t *testing.T) {
	t.Parallel()
	outages := []time.Duration{5 * time.Second}
	if full {
		outages = append(outages, 30*time.Second, 5*time.Minute)
	}
	for _, outage := range outages {
		t.Run(outage.String(), func(t *testing.T) {
			onBoards(t, func(t *testing.T, c *circuit, name string) { pull(t, c, name, outage) })
		})
	}
}

func pull(t *testing.T, c *circuit, name string, outage time.Duration) {
	const promised = 15 * time.Second
	s, o := inCluster(t, sharedCluster(t), name)
	c.Start(t, s)
	node := o.nodeReady(t, name, core.ConditionTrue)
	lease := o.lease(t, name, "held", held)
	c.journal.wait(t, 0, "lease claimed")
	before := c.status(t)
	if err := c.board.Link(false); err != nil {
		t.Fatal(err)
	}
	until(t, patience, "the board sees that the cable is gone", func() bool { return c.status(t)["link"] == "down" })
	time.Sleep(outage) // the outage itself
	if err := c.board.Link(true); err != nil {
		t.Fatal(err)
	}
	back := time.Now()
	await(t, promised, o.leases().Watch, name, "renewed", func(l *coordination.Lease) bool {
		return held(l) && l.Spec.RenewTime.After(back) && l.UID == lease.UID && transitions(l) == transitions(lease)
	})
	await(t, promised-time.Since(back), o.core.Nodes().Watch, name, "Ready again", func(n *core.Node) bool {
		return readyIs(core.ConditionTrue)(n) && n.UID == node.UID
	})
	t.Logf("Ready %v after the link's return", time.Since(back).Round(time.Millisecond))
	c.CheckHealth(t)
	after := c.status(t)
	if after["link"] != "up" || after["address"] != before["address"] {
		t.Errorf("link %s, address %s", after["link"], after["address"])
	}
	if more := number(t, after, "connections") - number(t, before, "connections"); more < 0 || more > 2 {
		t.Errorf("%d connections more", more)
	}
	if number(t, after, "renewals") <= number(t, before, "renewals") || number(t, after, "link-downs") < 1 {
		t.Errorf("renewals %s, before %s; link downs %s", after["renewals"], before["renewals"], after["link-downs"])
	}
}

// A board that nobody provisioned waits, and its console says for what.
func TestUnprovisionedBoardWaits(t *testing.T) {
	onBoards(t, func(t *testing.T, c *circuit, _ string) {
		c.power(t, board.Options{})
		line := c.says(t, 0, "waiting for settings: type help")
		if !strings.Contains(line.Fields["reason"], "is not set") {
			t.Errorf("log: %s", line.Text)
		}
		c.CheckHealth(t)
		s := c.status(t)
		if s["state"] != line.Fields["reason"] || s["node"] != "" || s["led"] == "" {
			t.Errorf("status %v", s)
		}
		help, err := c.board.Command(soon(t), "help")
		if err != nil || !strings.Contains(strings.Join(help, "\n"), "factory-reset") {
			t.Errorf("help: %q, %v", help, err)
		}
		show, err := c.board.Command(soon(t), "show")
		if err != nil || strings.Count(strings.Join(show, "\n"), "(not set, required)") != 5 {
			t.Errorf("show: %q, %v", show, err)
		}
	})
}

// Nothing that is typed disturbs the node.
func TestConsoleIsTypedAt(t *testing.T) {
	onBoards(t, func(t *testing.T, c *circuit, name string) {
		s, o := inCluster(t, sharedCluster(t), name)
		c.Start(t, s)
		o.nodeReady(t, name, core.ConditionTrue)
		c.journal.wait(t, 0, "lease claimed")
		works := func(after string) {
			t.Helper()
			c.journal.wait(t, c.journal.now(), "lease renewed")
			c.CheckHealth(t)
			if state := c.status(t)["state"]; state != "connected" {
				t.Errorf("after %s: %s", after, state)
			}
		}
		for _, wrong := range []string{"nonsense", "set", "set nonsense 1", "set server", "set server ftp://x", "set ca x",
			"set node-name A_B", "unset", "unset nonsense", "factory-reset", "-----BEGIN x",
			"set lease-duration 0", strings.Repeat("long ", 500), "\x01\x02 status", "\xff\xfe"} {
			if wrong == "-----BEGIN x" { // what follows is passed over, up to a dot
				if _, err := c.board.Command(soon(t), wrong); err == nil {
					t.Errorf("%q is accepted", wrong)
				}
				if err := c.board.Type([]byte("MIIEvQIBADANBgkqhkiG9w0BAQEF\r.\r")); err != nil {
					t.Fatal(err)
				}
				continue
			}
			if lines, err := c.board.Command(soon(t), wrong); err == nil {
				t.Errorf("%q is accepted: %q", wrong, lines)
			} else if strings.Contains(err.Error(), "no answer") {
				t.Fatal(err)
			}
		}
		works("wrong commands")
		if err := c.board.Type([]byte("set node-na")); err != nil {
			t.Fatal(err)
		}
		works("half a line")
		if err := c.board.Type([]byte("\x03set key\rhalf a key, and no end")); err != nil {
			t.Fatal(err)
		}
		c.journal.wait(t, c.journal.now(), "lease renewed")
		c.noise(t)
		works("noise")
		if _, err := c.board.Command(soon(t), "discard"); err != nil {
			t.Error(err)
		}
		if _, err := c.board.Command(soon(t), "show"); err != nil {
			t.Error(err)
		}
		c.showsNo(t, keyOf(t, s.Kubeconfig))
		c.Kill(t)
		from := c.journal.now()
		c.Start(t, s)
		c.journal.wait(t, from, "lease claimed")
	})
}

// keyOf is the client's private key, PEM.
func keyOf(t *testing.T, kubeconfig string) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range config.AuthInfos {
		return string(user.ClientKeyData)
	}
	t.Fatal(kubeconfig, " has no user")
	return ""
}

// showsNo fails if a line of the key was ever on the console.
func (c *circuit) showsNo(t *testing.T, key string) {
	t.Helper()
	for line := range strings.Lines(key) {
		line = strings.TrimSpace(line)
		if len(line) < 16 || strings.HasPrefix(line, "-----") {
			continue
		}
		for _, shown := range c.board.Lines(0) {
			if strings.Contains(shown.Text, line[:16]) {
				t.Fatal("a key on the console")
			}
		}
	}
}

// A factory reset leaves nothing of the node on the board, which can be
// provisioned again.
func TestFactoryReset(t *testing.T) {
	onBoards(t, func(t *testing.T, c *circuit, name string) {
		s := newStage(t)
		set := s.node(t, name)
		c.Start(t, set)
		c.journal.wait(t, 0, "lease claimed")
		block, _ := pem.Decode([]byte(keyOf(t, set.Kubeconfig)))
		if !bytes.Contains(c.readFlash(t), block.Bytes) {
			t.Fatal("the key is not in the flash, as far as we can see")
		}
		from := c.board.Now()
		if _, err := c.board.Command(soon(t), "factory-reset yes"); err != nil {
			t.Fatal(err)
		}
		c.awaitBoot(t, from)
		c.says(t, from, "waiting for settings")
		flash := c.readFlash(t)
		if len(bytes.Trim(flash, "\xff")) != 0 {
			t.Errorf("%d bytes of flash are not erased", len(bytes.Trim(flash, "\xff")))
		}
		c.Kill(t)
		c.flash = ""
		again := c.journal.now()
		c.Start(t, set)
		c.journal.wait(t, again, "lease claimed")
		c.CheckHealth(t)
	})
}

// noise types bytes that mean nothing, and then gives the line up.
func (c *circuit) noise(t *testing.T) {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("noise of seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 40 {
		piece := make([]byte, 200)
		for i := range piece {
			piece[i] = byte(random.Uint32())
		}
		if err := c.board.Type(piece); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond) // a serial line is slower than this
	}
	const end = "end-of-noise"
	from := c.board.Now()
	if err := c.board.Type([]byte("\x03" + end + "\r")); err != nil {
		t.Fatal(err)
	}
	c.says(t, from, `no command "`+end)
}

// Without entropy there is no TLS, and nothing is sent at all.
func TestBoardWithoutSeed(t *testing.T) {
	onBoards(t, func(t *testing.T, c *circuit, name string) {
		s := newStage(t)
		c.has(t, board.Options{NoSeed: true})
		c.Start(t, s.node(t, name))
		c.says(t, 0, "TLS is refused without a seed")
		e := c.journal.wait(t, 0, "the node is not started")
		if !strings.Contains(e.field("reason"), "no entropy") || e.Level != "ERROR" {
			t.Errorf("log: %s", e.Text)
		}
		c.CheckHealth(t)
		if state := c.status(t)["state"]; !strings.Contains(state, "no entropy") {
			t.Errorf("state %q", state)
		}
		if n := len(s.proxy.Connections()); n != 0 {
			t.Errorf("%d connections", n)
		}
	})
}

// Boards check signatures by RSA keys, and have none of their own. tools/provision
// says so at once; who pastes such a key learns it at the next start.
func TestOwnRSAKeyIsRefused(t *testing.T) {
	onBoards(t, func(t *testing.T, c *circuit, name string) {
		s := newStage(t)
		c.Start(t, s.node(t, name))
		c.journal.wait(t, 0, "lease claimed")
		s.rsaClient = true
		paste := "set key\n" + keyOf(t, s.node(t, name).Kubeconfig) + "."
		for _, text := range []string{strings.ReplaceAll(paste, "\n", "\r"), "save"} {
			if _, err := c.board.Command(soon(t), text); err != nil {
				t.Fatal(err)
			}
		}
		c.flash = ""
		from, connections := c.journal.now(), len(s.proxy.Connections())
		c.reboot(t)
		e := c.journal.wait(t, from, "no key could be read: it must be P-256")
		if e.Level != "ERROR" || e.field("what") != "client-key" {
			t.Errorf("log: %s", e.Text)
		}
		c.CheckHealth(t)
		if n := len(s.proxy.Connections()) - connections; n != 0 {
			t.Errorf("%d connections", n)
		}
	})
}

// Whatever the flash holds, the board comes up: with its settings, or without.
func TestFlashIsBroken(t *testing.T) {
	onBoards(t, func(t *testing.T, c *circuit, name string) {
		s := newStage(t)
		set := s.node(t, name)
		c.Start(t, set)
		c.journal.wait(t, 0, "lease claimed")
		c.Kill(t)
		good := c.readFlash(t)
		record := bytes.Index(good, []byte(name))
		if record < 0 {
			t.Fatal("the node's name is not in the flash")
		}
		changed := func(at int) []byte {
			flash := bytes.Clone(good)
			flash[at] ^= 0x10
			return flash
		}
		garbage := make([]byte, len(good))
		for i := range garbage {
			garbage[i] = byte(rand.Uint32())
		}
		for _, row := range []struct {
			what  string
			flash []byte
			works bool
		}{
			{"empty", nil, false},
			{"one byte", good[:1], false},
			{"cut amid the record", good[:record+1], false},
			{"a bit of the record flipped", changed(record), false},
			{"a bit of the head flipped", changed(0), false},
			{"garbage", garbage, false},
			{"zeros", make([]byte, len(good)), false},
			{"garbage behind it", append(bytes.Clone(good), garbage...), true},
			{"as it was", good, true},
		} {
			c.writeFlash(t, row.flash)
			from, line := c.journal.now(), c.board.Now()
			c.power(t, board.Options{})
			if row.works {
				c.journal.wait(t, from, "lease claimed")
			} else {
				c.says(t, line, "waiting for settings")
			}
			c.CheckHealth(t)
			t.Logf("%s: %s", row.what, c.status(t)["state"])
			c.Kill(t)
		}
		// A flash of zeros is as good as new once it has been erased.
		c.writeFlash(t, make([]byte, len(good)))
		c.flash = ""
		from := c.journal.now()
		c.Start(t, set)
		c.journal.wait(t, from, "lease claimed")
	})
}

// The power goes while settings are saved: the board has the old ones or the
// new ones, and all of them.
func TestPowerCutWhileSaving(t *testing.T) {
	times := 20
	if full {
		times = 300
	}
	onBoards(t, func(t *testing.T, c *circuit, name string) {
		s := newStage(t)
		c.Start(t, s.node(t, name))
		hostname := func() string {
			t.Helper()
			lines, err := c.board.Command(soon(t), "show")
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range lines {
				if value, found := strings.CutPrefix(line, "hostname "); found {
					return strings.TrimSpace(value)
				}
			}
			t.Fatal("no hostname: ", lines)
			return ""
		}
		kept, is := 0, "(not set)"
		for n := range times {
			next := fmt.Sprintf("cut-%d", n)
			if _, err := c.board.Command(soon(t), "set hostname "+next); err != nil {
				t.Fatal(err)
			}
			if err := c.board.Type([]byte("save\r")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(rand.N(15 * time.Millisecond)) // the instant
			c.Kill(t)
			c.power(t, board.Options{})
			switch now := hostname(); now {
			case is:
			case next:
				kept++
				is = next
			default:
				t.Fatalf("the hostname is %s, and was %s, then %s", now, is, next)
			}
			if node := c.status(t)["node"]; node != name {
				t.Fatalf("node %q: %s", node, c.status(t)["state"])
			}
		}
		t.Logf("%d of %d were saved", kept, times)
		from := c.journal.now()
		c.reboot(t)
		c.journal.wait(t, from, "lease claimed")
	})
}

func (c *circuit) readFlash(t *testing.T) []byte {
	t.Helper()
	flash, err := os.ReadFile(c.board.FlashPath())
	if err != nil {
		t.Fatal(err)
	}
	return flash
}

func (c *circuit) writeFlash(t *testing.T, flash []byte) {
	t.Helper()
	if err := os.WriteFile(c.board.FlashPath(), flash, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Before the first reply of a connection a board cannot tell that a certificate
// has expired; with that reply it can, and tells such a server nothing more than
// in its first request.
func TestExpiredServerIsFoundOut(t *testing.T) {
	onBoards(t, func(t *testing.T, c *circuit, name string) {
		expired := usualCertificate()
		expired.NotBefore, expired.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-time.Hour)
		s := newStageWith(t, expired)
		c.Start(t, s.node(t, name))
		c.journal.wait(t, 0, "certificate refused: it has expired")
		until(t, patience, "it tries again", func() bool { return len(s.proxy.Connections()) >= 4 })
		c.CheckHealth(t)
		asked := s.requests()
		if made := len(s.proxy.Connections()); len(asked) > made {
			t.Errorf("%d connections to a server whose certificate had expired, %d requests: %v", made, len(asked), asked)
		}
	})
}

// A server whose clock was wrong, so that its own certificate did not seem valid,
// is accepted again once its clock is right: the board has no other.
func TestWrongDateLocksNobodyOut(t *testing.T) {
	t.Parallel()
	for refusal, years := range map[string]int{"it has expired": 50, "it is not valid yet": -50} {
		wrong := with(func(h http.Header) {
			h.Set("Date", time.Now().AddDate(years, 0, 0).UTC().Format(http.TimeFormat))
		})
		t.Run(refusal, func(t *testing.T) {
			onBoards(t, func(t *testing.T, c *circuit, name string) {
				s := newStage(t)
				// Once from the first reply on, once on a connection that has worked.
				s.setAnswer(wrong)
				c.Start(t, s.node(t, name))
				for from := mark(0); ; from = c.journal.now() {
					s.setAnswer(wrong)
					c.journal.wait(t, from, "certificate refused: "+refusal)
					s.setAnswer(nil)
					renewed := len(s.renewals())
					until(t, patience, "it renews its Lease", func() bool { return len(s.renewals()) > renewed+1 })
					if from != 0 {
						break
					}
				}
				for i, list := 1, s.renewals(); i < len(list); i++ {
					if !list[i].After(list[i-1]) {
						t.Errorf("renewTime went from %v to %v", list[i-1], list[i])
					}
				}
				c.CheckHealth(t)
			})
		})
	}
}

// The warning comes when it is time, on a connection that lasts.
func TestCertificateComesToItsEnd(t *testing.T) {
	onBoards(t, func(t *testing.T, c *circuit, name string) {
		k := sharedCluster(t)
		req := nodeCertificate(name)
		const warning = 7 * 24 * time.Hour // FK_BOARD_CERTIFICATE_WARNING_S
		req.NotAfter = time.Now().Add(warning + qemu.slow)
		pair, err := k.CA().Issue(req)
		if err != nil {
			t.Fatal(err)
		}
		text := cluster.FormatKubeconfig(k.URL(), k.CA().CertPEM, "node", pair)
		c.Start(t, settings{Name: name, Kubeconfig: writeFile(t, "kubeconfig", string(text))})
		c.journal.wait(t, 0, "lease claimed")
		if list := c.journal.since(0, "expires soon"); len(list) > 0 {
			t.Fatalf("too early: %s", list[0].Text)
		}
		c.journal.wait(t, 0, "the client certificate expires soon")
		if n := len(c.journal.since(0, "connected to the API server")); n != 1 {
			t.Errorf("%d connections", n)
		}
		if led := c.status(t)["led"]; led != "warning" {
			t.Errorf("the LED shows %s", led)
		}
	})
}

// Healthy is who has renewed the Lease: to create or claim it is not enough. And
// a renewal never looks overdue.
func TestLEDShowsRenewals(t *testing.T) {
	onBoards(t, func(t *testing.T, c *circuit, name string) {
		s := newStage(t)
		node := s.node(t, name)
		node.LeaseSeconds = 4
		c.Start(t, node)
		healthy := c.journal.wait(t, 0, `"pattern":"healthy"`)
		renewed := c.journal.since(0, "lease renewed")
		if len(renewed) == 0 || renewed[0].Arrived.After(healthy.Arrived) {
			t.Error("healthy before the first renewal")
		}
		until(t, patience, "it goes on", func() bool { return len(c.journal.since(0, "lease renewed")) > 5 })
		if n := len(c.journal.since(0, `"pattern":"disconnected"`)); n > 0 {
			t.Errorf("it seemed disconnected %d times", n)
		}
	})
}

// The API server is stopped amid the board's handshake, and comes back.
func TestAPIServerRestartsDuringHandshake(t *testing.T) {
	onBoards(t, func(t *testing.T, c *circuit, name string) {
		k, err := cluster.Start(t.Context(), cluster.Options{NodeMonitorGrace: grace, NodeMonitorPeriod: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { k.Stop() })
		s, o, p := throughProxy(t, k, name)
		c.Start(t, s)
		uid := o.nodeReady(t, name, core.ConditionTrue).UID
		c.journal.wait(t, 0, "lease claimed")
		for what, come := range map[string]func(wire.Connection) bool{
			"the ClientHello":    func(c wire.Connection) bool { return c.ToServer.Bytes > 0 },
			"the server's reply": func(c wire.Connection) bool { return c.ToClient.Bytes > 0 },
		} {
			from, before := c.journal.now(), len(p.Connections())
			p.ResetAll()
			for len(p.Connections()) == before || !come(p.Connections()[before]) {
				time.Sleep(100 * time.Microsecond)
			}
			p.Silence(true)
			amid := p.Connections()[before]
			if err := k.StopAPIServer(); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := k.StartAPIServer(ctx); err != nil {
				t.Fatal(err)
			}
			if list := c.journal.since(from, "connected to the API server"); len(list) > 0 {
				t.Logf("%s: the handshake was over: %s", what, list[0].Text)
			}
			p.Silence(false)
			up := time.Now()
			o.renewedNow(t, name)
			n := o.nodeReady(t, name, core.ConditionTrue)
			t.Logf("%s: %d bytes to and %d from the server had passed; recovered %v after it",
				what, amid.ToServer.Bytes, amid.ToClient.Bytes, time.Since(up).Round(time.Millisecond))
			if n.UID != uid {
				t.Error("the Node was made anew")
			}
			c.CheckHealth(t)
		}
	})
}

// Each connection gives back what it took.
func TestConnectionsLeakNothing(t *testing.T) {
	times := 6 // the delay before each is the longer
	if full {
		times = 60
	}
	onBoards(t, func(t *testing.T, c *circuit, name string) {
		s := newStage(t)
		c.Start(t, s.node(t, name))
		c.journal.wait(t, 0, "lease claimed")
		again := func(times int) (used, peak int) {
			for range times {
				from := c.journal.now()
				s.proxy.ResetAll()
				c.journal.wait(t, from, "connected to the API server")
				c.journal.wait(t, from, "lease renewed")
			}
			used = math.MaxInt
			for range 12 { // the least of it, between two renewals
				status := c.status(t)
				used, peak = min(used, number(t, status, "heap-used")), number(t, status, "heap-peak")
				time.Sleep(100 * time.Millisecond)
			}
			return used, peak
		}
		used, peak := again(3)
		usedNow, peakNow := again(times)
		t.Logf("heap used: %d, after %d more connections %d; peak %d and %d", used, times, usedNow, peak, peakNow)
		const slack = 64 // texts differ in length
		if usedNow > used+slack || peakNow > peak+slack {
			t.Error("the heap's use has grown")
		}
		c.CheckHealth(t)
	})
}
