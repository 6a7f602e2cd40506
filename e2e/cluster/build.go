package cluster

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// program is something large that is built from its Go module, once.
type program struct {
	folder  string // of its module, in e2e/; also its name in the cache
	name    string // as messages have it
	takes   string // minutes
	from    string // the module that gives it its version
	target  string // the package, as "go build" takes it
	version bool   // it is told its version by the linker
	polite  bool   // let others have the processor first: tests run meanwhile
}

var (
	controlPlane = program{folder: "controlplane", name: "the control plane", takes: "about 5 minutes on 2 cores",
		from: "k8s.io/kubernetes", target: ".", version: true}
	metricsServer = program{folder: "metricsserver", name: "metrics-server", takes: "about 2 minutes on 2 cores",
		from: "sigs.k8s.io/metrics-server", target: "sigs.k8s.io/metrics-server/cmd/metrics-server", polite: true}
)

const (
	// unusedAfter is when a cached binary of other sources is removed.
	unusedAfter = 14 * 24 * time.Hour
	// logTail is how much of a failed program's output an error repeats.
	logTail = 4096
)

// Progress hears what is going on. detail may be empty; elapsed counts from
// the beginning of the step. A long step is reported once a second.
type Progress func(step, detail string, elapsed time.Duration)

func (p Progress) report(step, detail string, since time.Time) {
	if p != nil {
		p(step, detail, time.Since(since))
	}
}

// EnsureBinary returns the path of the control-plane binary, and builds it
// first unless the cache has it. Concurrent callers build once.
func EnsureBinary(ctx context.Context, progress Progress) (string, error) {
	return controlPlane.ensure(ctx, progress)
}

// EnsureMetricsServer does the same for metrics-server.
func EnsureMetricsServer(ctx context.Context, progress Progress) (string, error) {
	return metricsServer.ensure(ctx, progress)
}

func (p *program) prefix() string { return p.folder + "-" }

func (p *program) ensure(ctx context.Context, progress Progress) (string, error) {
	source, err := p.sourceDir()
	if err != nil {
		return "", err
	}
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	sum, err := p.sourceHash(ctx, source)
	if err != nil {
		return "", err
	}
	binary := filepath.Join(cache, p.prefix()+sum)
	if useCached(binary) {
		return binary, nil
	}
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return "", err
	}
	began := time.Now()
	unlock, err := Lock(ctx, cache, func() {
		progress.report("waiting for another build", "", began)
	})
	if err != nil {
		return "", err
	}
	defer unlock()
	if useCached(binary) {
		return binary, nil
	}
	// The lock makes this name ours; a leftover of a killed build is reused.
	building := filepath.Join(cache, ".building-"+p.folder)
	if err := p.build(ctx, source, building, progress); err != nil {
		os.Remove(building)
		return "", err
	}
	if err := os.Rename(building, binary); err != nil {
		return "", err
	}
	p.removeUnused(cache, time.Now().Add(-unusedAfter))
	return binary, nil
}

// useCached also marks the binary as used, see removeUnused.
func useCached(binary string) bool {
	now := time.Now()
	return os.Chtimes(binary, now, now) == nil
}

func (p *program) removeUnused(cache string, before time.Time) {
	binaries, _ := filepath.Glob(filepath.Join(cache, p.prefix()+"*"))
	for _, binary := range binaries {
		if info, err := os.Stat(binary); err == nil && info.ModTime().Before(before) {
			os.Remove(binary)
		}
	}
}

func cacheDir() (string, error) {
	base := os.Getenv("XDG_CACHE_HOME")
	if !filepath.IsAbs(base) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("no place for the cache: set HOME or XDG_CACHE_HOME (%w)", err)
		}
		base = filepath.Join(home, ".cache")
	}
	return filepath.Join(base, "femtokubelet"), nil
}

// sourceDir finds the module next to this package, or next to one of the
// working directory's parents for a binary built with -trimpath.
func (p *program) sourceDir() (string, error) {
	var candidates []string
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		candidates = append(candidates, filepath.Join(filepath.Dir(file), "..", p.folder))
	}
	if dir, err := os.Getwd(); err == nil {
		for ; ; dir = filepath.Dir(dir) {
			candidates = append(candidates, filepath.Join(dir, p.folder), filepath.Join(dir, "e2e", p.folder))
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	for _, dir := range candidates {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Clean(dir), nil
		}
	}
	return "", fmt.Errorf("e2e/%s not found: run this inside the femtokubelet source tree", p.folder)
}

// sourceHash covers what decides the binary: sources, versions, compiler and
// our build flags.
func (p *program) sourceHash(ctx context.Context, source string) (string, error) {
	goVersion := exec.CommandContext(ctx, "go", "env", "GOVERSION", "GOOS", "GOARCH")
	goVersion.Dir = source
	version, err := goVersion.Output()
	if err != nil {
		return "", fmt.Errorf("run go, which builds %s: %w; install Go and put it in PATH", p.name, err)
	}
	files, err := filepath.Glob(filepath.Join(source, "*.go"))
	if err != nil {
		return "", err
	}
	files = append(files, filepath.Join(source, "go.mod"), filepath.Join(source, "go.sum"))
	slices.Sort(files)
	hash := sha256.New()
	fmt.Fprintf(hash, "%s\n%s\n", version, p.arguments("version"))
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(hash, "%s %d\n%s", filepath.Base(file), len(data), data)
	}
	return hex.EncodeToString(hash.Sum(nil))[:16], nil
}

// arguments of "go build", but for -o.
func (p *program) arguments(version string) []string {
	const variable = " -X k8s.io/component-base/version."
	flags := "-s -w"
	if parts := strings.Split(strings.TrimPrefix(version, "v"), "."); p.version {
		flags += variable + "gitVersion=" + version
		if len(parts) == 3 {
			flags += variable + "gitMajor=" + parts[0] + variable + "gitMinor=" + parts[1]
		}
	}
	return []string{"-trimpath", "-ldflags", flags}
}

// moduleVersion is what go.mod requires.
func (p *program) moduleVersion(source string) (string, error) {
	module, err := os.ReadFile(filepath.Join(source, "go.mod"))
	if err != nil {
		return "", err
	}
	match := regexp.MustCompile(`(?m)^\s*(?:require )?` + regexp.QuoteMeta(p.from) + ` (v\S+)`).FindSubmatch(module)
	if match == nil {
		return "", fmt.Errorf("%s/go.mod does not require %s", source, p.from)
	}
	return string(match[1]), nil
}

func (p *program) build(ctx context.Context, source, output string, progress Progress) error {
	step := fmt.Sprintf("building %s (once; %s)", p.name, p.takes)
	version, err := p.moduleVersion(source)
	if err != nil {
		return err
	}
	args := append([]string{"go", "build", "-v", "-o", output}, p.arguments(version)...)
	if p.polite {
		args = append([]string{"nice"}, args...)
	}
	args = append(args, p.target)
	command := exec.CommandContext(ctx, args[0], args[1:]...)
	command.Dir = source
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	// go ends its compilers in good order on an interrupt, not on a kill.
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 10 * time.Second
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGINT}
	pipe, err := command.StderrPipe()
	if err != nil {
		return err
	}

	began := time.Now()
	var packages atomic.Int64
	stop := every(time.Second, func() {
		progress.report(step, fmt.Sprintf("%d packages", packages.Load()), began)
	})
	defer stop()
	runtime.LockOSThread() // Pdeathsig looks at the thread that started go
	defer runtime.UnlockOSThread()
	progress.report(step, "", began)
	if err := command.Start(); err != nil {
		return err
	}
	messages := readBuildOutput(pipe, &packages)
	if err := command.Wait(); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("build of %s interrupted: %w", p.name, ctx.Err())
		}
		return fmt.Errorf("build of %s in %s failed: %w\n%s", p.name, source, err, messages)
	}
	return nil
}

// readBuildOutput counts the package names that "go build -v" prints and keeps
// the end of everything else.
func readBuildOutput(output io.Reader, packages *atomic.Int64) []byte {
	var messages []byte
	lines := bufio.NewScanner(output)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Bytes()
		if !bytes.ContainsAny(line, " :") {
			packages.Add(1)
			continue
		}
		messages = append(append(messages, line...), '\n')
		if len(messages) > logTail {
			messages = messages[len(messages)-logTail:]
		}
	}
	io.Copy(io.Discard, output) // a line beyond the buffer must not block go
	return messages
}

// every calls f each period on its own goroutine until stopped; after stop
// returns, f is not called any more.
func every(period time.Duration, f func()) (stop func()) {
	done := make(chan struct{})
	var finished sync.WaitGroup
	finished.Go(func() {
		ticker := time.NewTicker(period)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				f()
			}
		}
	})
	return func() { close(done); finished.Wait() }
}

// tail returns the end of a file for an error message.
func tail(path string) string {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if len(data) > logTail {
		data = data[len(data)-logTail:]
	}
	return string(data)
}
