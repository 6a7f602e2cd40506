package node

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"femtokubelet.dev/e2e/cluster"
)

// A node that cannot work says why, and ends: with 2 for a mistake in the
// flags, with 1 for one in what they point to.
func TestRefusesToStart(t *testing.T) {
	onBodies(t, hasFlags, func(t *testing.T, _ Body, name string) {
		s := newStage(t)
		pair, err := s.ca.Issue(nodeCertificate("n"))
		if err != nil {
			t.Fatal(err)
		}
		old := nodeCertificate("n")
		old.NotBefore, old.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-time.Hour)
		expired, err := s.ca.Issue(old)
		if err != nil {
			t.Fatal(err)
		}
		stranger := *pair
		stranger.KeyPEM = expired.KeyPEM
		good := string(cluster.FormatKubeconfig("https://"+s.proxy.Addr(), s.ca.CertPEM, "node", pair))
		with := func(from, to string) string { return strings.ReplaceAll(good, from, to) }
		kubeconfig := func(p *cluster.KeyPair) string {
			return string(cluster.FormatKubeconfig("https://"+s.proxy.Addr(), s.ca.CertPEM, "node", p))
		}
		for _, row := range []struct {
			what, kubeconfig string // the text; "" for none, "/…" for a path
			flags            []string
			code             int
			logs             []string
		}{
			{"no kubeconfig", "", nil, 2, []string{"--kubeconfig FILE is needed"}},
			{"file is not there", "/nonexistent/kubeconfig", nil, 1, []string{"/nonexistent/kubeconfig", "No such file"}},
			{"file is a folder", "/proc", nil, 1, []string{"/proc", "Is a directory"}},
			{"empty file", " ", nil, 1, []string{"no mapping at the top"}},
			{"malformed YAML", "a: [b", nil, 1, []string{"kubeconfig:"}},
			{"binary file", "\x7fELF\x02\x01\x01\x00\x00", nil, 1, []string{"kubeconfig"}},
			{"another kind", with("kind: Config", "kind: Pod"), nil, 1, []string{"kind", "must be Config"}},
			{"no such context", with("current-context: testcluster", "current-context: other"), nil, 1, []string{"other", "contexts"}},
			{"http", with("https://", "http://"), nil, 1, []string{"http proves nobody's identity; use https"}},
			{"unverified", with("    server:", "    insecure-skip-tls-verify: true\n    server:"), nil, 1, []string{"always verifies the server"}},
			{"CA is no base64", with("certificate-authority-data: ", "certificate-authority-data: ."), nil, 1, []string{"certificate-authority-data", "is not base64"}},
			{"expired client certificate", kubeconfig(expired), nil, 1, []string{"the client certificate has expired", "not_after"}},
			{"key of another certificate", kubeconfig(&stranger), nil, 1, []string{"key"}},
			{"invalid node name", good, []string{"--hostname-override=Rack_1"}, 2, []string{"node name", "Rack_1", "lower-case letters"}},
			{"node name too long", good, []string{"--hostname-override=" + strings.Repeat("n", 254)}, 2, []string{"node name"}},
			{"label of an administrator", good, []string{"--node-labels=node-role.kubernetes.io/edge=true"}, 2,
				[]string{"node-role.kubernetes.io/edge", "NodeRestriction", "kubectl label"}},
			{"label of Linux", good, []string{"--node-labels=kubernetes.io/os=linux"}, 2, []string{"DaemonSets made for Linux"}},
			{"unknown flag", good, []string{"--no-such-flag"}, 2, []string{"unknown flag --no-such-flag"}},
			{"impossible period", good, []string{"--node-status-update-frequency=0s"}, 2, []string{"a duration from 1s to 1h"}},
		} {
			t.Run(row.what, func(t *testing.T) {
				set := settings{Name: "n", Extra: row.flags}
				switch {
				case strings.HasPrefix(row.kubeconfig, "/"):
					set.Kubeconfig = row.kubeconfig
				case row.kubeconfig != "":
					set.Kubeconfig = writeFile(t, "kubeconfig", row.kubeconfig)
				}
				p := &process{}
				p.Start(t, set)
				if code := p.Exit(t); code != row.code {
					t.Errorf("exit code %d, want %d", code, row.code)
				}
				text := p.journal.tail(100)
				for _, want := range row.logs {
					if !strings.Contains(text, want) {
						t.Errorf("%q is not in the log", want)
					}
				}
				if len(text) > 2000 {
					t.Errorf("%d bytes of log", len(text))
				}
				if strings.Contains(text, "PRIVATE KEY") {
					t.Error("a key in the log")
				}
			})
		}
		if n := len(s.proxy.Connections()); n != 0 {
			t.Errorf("%d connections were made", n)
		}
	})
}

// starve is a getrandom that fails as long as a file is there. All of libc's
// other sources (getentropy, arc4random) are let down as well.
const starve = `
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>
ssize_t getrandom(void *buf, size_t len, unsigned flags) {
    const char *file = getenv("STARVE_FILE");
    if (file != NULL && access(file, F_OK) == 0) { errno = EIO; return -1; }
    return syscall(SYS_getrandom, buf, len, flags);
}
int getentropy(void *buf, size_t len) {
    return getrandom(buf, len, 0) == (ssize_t)len ? 0 : -1;
}
`

func compileStarve(t *testing.T) (env []string, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "no-entropy")
	return []string{"LD_PRELOAD=" + compileLibrary(t, starve), "STARVE_FILE=" + file}, file
}

// compileLibrary makes a shared library of a few lines of C.
func compileLibrary(t *testing.T, text string) string {
	t.Helper()
	compiler, err := exec.LookPath("cc")
	if err != nil {
		t.Fatal("a C compiler is needed, called cc: ", err)
	}
	source := writeFile(t, "preload.c", text)
	library := strings.TrimSuffix(source, ".c") + ".so"
	if out, err := exec.Command(compiler, "-shared", "-fPIC", "-o", library, source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return library
}

// kubeadm's certificates are RSA-2048: the CA's, the server's, and clients' that
// it made.
func TestRSAServer(t *testing.T) {
	onBodies(t, 0, func(t *testing.T, b Body, name string) { workWithRSA(t, b, name, false) })
}

func TestRSAServerAndKey(t *testing.T) {
	onBodies(t, hasRSAKeys, func(t *testing.T, b Body, name string) { workWithRSA(t, b, name, true) })
}

func workWithRSA(t *testing.T, b Body, name string, client bool) {
	certificate := usualCertificate()
	certificate.RSA = true
	s := newStageWith(t, certificate)
	s.rsaClient = client
	b.Start(t, s.node(t, name))
	b.Journal().wait(t, 0, "lease claimed")
	b.Journal().wait(t, 0, "status reported")
	from := b.Journal().now()
	s.proxy.ResetAll()
	b.Journal().wait(t, from, "lease renewed")
	b.CheckHealth(t)
	t.Logf("heap at the peak of the handshake: %s", b.Journal().since(0, "TLS established")[0].field("heap_peak"))
}

func TestNoEntropy(t *testing.T) {
	onBodies(t, hasProcess, func(t *testing.T, b Body, name string) {
		s := newStage(t)
		set := s.node(t, name)
		env, file := compileStarve(t)
		set.Env = env

		// At the start: no random numbers, no node.
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		p := b.(*process)
		p.Start(t, set)
		if code := p.Exit(t); code != 1 {
			t.Errorf("exit code %d, want 1", code)
		}
		b.Journal().wait(t, 0, "no random numbers")
		if n := len(s.proxy.Connections()); n != 0 {
			t.Errorf("%d connections were made", n)
		}

		// Later: no session is begun, and nothing leaves us; it goes on when
		// there are random numbers again.
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		from := b.Journal().now()
		p.Start(t, set)
		b.Journal().wait(t, from, "lease claimed")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		before := len(s.proxy.Connections())
		s.proxy.ResetAll()
		b.Journal().wait(t, from, "no random numbers fit for keys")
		p.stillAlive(t)
		for _, c := range s.proxy.Connections()[before:] {
			if c.ToServer.Bytes != 0 {
				t.Errorf("%d bytes were sent", c.ToServer.Bytes)
			}
		}
		from = b.Journal().now()
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		b.Journal().wait(t, from, "lease renewed")
		b.CheckHealth(t)
	})
}

// With nobody to tell, a node leaves all the same.
func TestStopWithoutServer(t *testing.T) {
	onBodies(t, canLeave, func(t *testing.T, b Body, name string) {
		s := newStage(t)
		if err := s.proxy.Refuse(true); err != nil {
			t.Fatal(err)
		}
		b.Start(t, s.node(t, name))
		b.Journal().wait(t, 0, "connection to the API server")
		began := time.Now()
		if code := b.Stop(t); code != 0 {
			t.Errorf("exit code %d", code)
		}
		t.Logf("ended within %v", time.Since(began).Round(time.Millisecond))
	})
}
