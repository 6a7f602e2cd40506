package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// killWait bounds how long the kernel may take to end a killed process.
const killWait = 10 * time.Second

// spawner starts all processes from one operating-system thread that lives as
// long as the spawner. Linux sends the parent-death signal when the *thread*
// that forked ends, and Go ends threads when it likes.
type spawner struct {
	work chan func()
	once sync.Once
}

func newSpawner() *spawner {
	s := &spawner{work: make(chan func())}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the loop
		for f := range s.work {
			f()
		}
	}()
	return s
}

func (s *spawner) start(command *exec.Cmd) (err error) {
	done := make(chan struct{})
	s.work <- func() {
		err = command.Start()
		close(done)
	}
	<-done
	return err
}

// close ends the thread, and with it every child that is still there.
func (s *spawner) close() { s.once.Do(func() { close(s.work) }) }

// process is one component that runs or ran.
type process struct {
	name    string
	id      ProcessID
	logFile string
	command *exec.Cmd
	done    chan struct{} // closed when the process has ended and been reaped
	err     error         // its exit status, valid once done is closed
}

// startProcess runs a component of the multi-call binary; its output is added
// to NAME.log. The component dies with us, even if we are killed.
func (s *spawner) startProcess(binary, name string, args []string, home, logDir string) (*process, error) {
	p := &process{name: name, logFile: filepath.Join(logDir, name+".log"), done: make(chan struct{})}
	log, err := os.OpenFile(p.logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.command = &exec.Cmd{
		Path:   binary,
		Args:   append([]string{name}, args...), // the binary looks at its argv[0]
		Dir:    home,
		Stdout: log,
		Stderr: log,
		// Nothing of the caller's environment: a proxy or KUBECONFIG set there
		// must not change what the cluster does.
		Env: []string{"HOME=" + home, "TMPDIR=" + home, "PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
		SysProcAttr: &syscall.SysProcAttr{
			Pdeathsig: syscall.SIGKILL,
			// Ctrl-C is for the supervisor, which then ends the components.
			Setpgid: true,
		},
	}
	if err := s.start(p.command); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p.id, err = IdentifyProcess(p.command.Process.Pid)
	go func() {
		p.err = p.command.Wait()
		close(p.done)
	}()
	if err != nil {
		p.stop(0)
		return nil, fmt.Errorf("%s ended at once: %s", name, tail(p.logFile))
	}
	return p, nil
}

// stop asks the process to end, kills it after grace, and waits until it is
// gone. No grace means that it is killed at once.
func (p *process) stop(grace time.Duration) error {
	if grace > 0 {
		p.command.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.done:
			return nil
		case <-time.After(grace):
		}
	}
	p.command.Process.Kill()
	select {
	case <-p.done:
		return nil
	case <-time.After(killWait):
		return fmt.Errorf("%s (pid %d) does not end after a kill", p.name, p.id.PID)
	}
}

// janitorScript waits until its standard input ends, which is when its parent
// has gone or let go, and removes the folders given. The components die at the
// same time, so a file may still appear while it works: hence the attempts.
const janitorScript = `read -r _
i=0
while [ $i -lt 20 ]; do
	rm -rf -- "$@" 2>/dev/null && exit 0
	i=$((i + 1))
	sleep 0.5
done
exit 1`

// janitor is a shell that removes a cluster's data should we be killed.
type janitor struct {
	command *exec.Cmd
	release func()
}

func startJanitor(folders ...string) (*janitor, error) {
	command := exec.Command("/bin/sh", append([]string{"-c", janitorScript, "testcluster-janitor"}, folders...)...)
	command.Dir = "/"
	command.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	// A session of its own: what ends our process group does not end it.
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	input, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start the janitor: %w", err)
	}
	return &janitor{command: command, release: func() { input.Close() }}, nil
}

// clean lets the janitor do its work now and waits for it.
func (j *janitor) clean() error {
	j.release()
	return j.command.Wait()
}
