package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"femtokubelet.dev/e2e/launch"
)

// ErrNotAllowed: this user may make no network namespace or tap device here.
var ErrNotAllowed = errors.New("no network namespace of one's own is allowed here")

// space is a network namespace, and a user namespace around it when we are not
// root. A holder process keeps it and makes sockets in it for us; it lives as
// long as its control socket is open, so it ends with us, however we end.
type space struct {
	dir     string // removed by the holder when it ends
	pid     int    // the holder's
	user    bool   // there is a user namespace, too
	holder  *exec.Cmd
	control *net.UnixConn

	mu       sync.Mutex
	commands []*exec.Cmd // started with Start; they go with us
}

func newSpace() (*space, error) {
	dir, err := os.MkdirTemp("", "femtokubelet-lab-")
	if err != nil {
		return nil, err
	}
	s := &space{dir: dir, user: os.Geteuid() != 0}
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	network, err := os.Readlink(ownNetwork)
	if err != nil {
		return nil, errors.Join(err, ours.Close(), theirs.Close(), os.RemoveAll(dir))
	}
	// The holder is this very program, see init in holder.go.
	s.holder = &exec.Cmd{
		Path:       "/proc/self/exe",
		Args:       []string{holderName, dir, network},
		Dir:        "/",
		Env:        []string{},
		Stderr:     os.Stderr,
		ExtraFiles: []*os.File{theirs},
		// A process group of its own: Ctrl-C is for us, and the holder follows.
		SysProcAttr: &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Setpgid: true},
	}
	if s.user {
		s.mapUser(s.holder.SysProcAttr)
	}
	err = s.holder.Start()
	theirs.Close() // or we would not see the holder's end
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrNotAllowed, err), ours.Close(), os.RemoveAll(dir))
	}
	s.control, s.pid = ours, s.holder.Process.Pid
	// Nothing is done inside before the holder has said that it is inside, and
	// that there can be taps: /dev/net/tun may be missing, or be root's.
	tun, err := s.ask("tun")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrNotAllowed, err), s.close())
	}
	return s, tun.Close()
}

// mapUser makes us root of a user namespace, which may then have networks.
func (s *space) mapUser(attr *syscall.SysProcAttr) {
	attr.Cloneflags |= syscall.CLONE_NEWUSER
	attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
}

// Command is a command that will run inside the lab's network, to be used as
// any other; give it to Start when it must not outlive the lab.
func (s *space) Command(ctx context.Context, argv ...string) *exec.Cmd {
	enter := []string{"--target=" + strconv.Itoa(s.pid), "--net"}
	if s.user {
		enter = append(enter, "--user", "--preserve-credentials")
	}
	command := exec.CommandContext(ctx, "nsenter", append(append(enter, "--"), argv...)...)
	command.Env = append(os.Environ(), "PATH="+searchPath())
	return command
}

// searchPath finds ip and dnsmasq for users whose PATH lacks the sbin folders.
func searchPath() string { return os.Getenv("PATH") + ":/usr/sbin:/sbin" }

// Run runs a command inside the lab's network and returns what it prints.
func (s *space) Run(ctx context.Context, argv ...string) (string, error) {
	output, err := s.Command(ctx, argv...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, output)
	}
	return string(output), err
}

// ip runs lines of ip(8) as one batch.
func (s *space) ip(ctx context.Context, lines ...string) error {
	command := s.Command(ctx, "ip", "-batch", "-")
	command.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("ip: %w: %s", err, output)
	}
	return nil
}

// Start starts a command, inside the lab's network or not, such that it is
// killed when the lab is closed or this process ends. The caller waits for it.
func (s *space) Start(command *exec.Cmd) error {
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	command.SysProcAttr.Setpgid = true
	err := launch.Start(command)
	if err == nil {
		s.mu.Lock()
		s.commands = append(s.commands, command)
		s.mu.Unlock()
	}
	return err
}

// close ends the namespace once nobody else holds a socket of it.
func (s *space) close() error {
	s.mu.Lock()
	for _, command := range s.commands {
		command.Process.Kill() // does nothing to one that was waited for
	}
	s.mu.Unlock()
	s.control.Close()
	return s.holder.Wait()
}

// ask has the holder make a socket or a tap, and returns it.
func (s *space) ask(request string) (*os.File, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer ours.Close()
	_, _, err = s.control.WriteMsgUnix([]byte(request), syscall.UnixRights(int(theirs.Fd())), nil)
	theirs.Close()
	if err != nil {
		return nil, fmt.Errorf("the lab is closed: %w", err)
	}
	text, file, err := receive(ours)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the lab's holder is gone: %w", err)
	case file == nil:
		return nil, fmt.Errorf("%s in the lab: %s", request, text)
	}
	return file, nil
}

// Listen opens a TCP port inside the lab; ":80" is on all its addresses.
func (s *space) Listen(addr string) (net.Listener, error) {
	file, err := s.ask("listen " + addr)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return net.FileListener(file)
}

// ListenPacket opens a UDP port inside the lab.
func (s *space) ListenPacket(addr string) (net.PacketConn, error) {
	file, err := s.ask("packet " + addr)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return net.FilePacketConn(file)
}

// Dial connects from inside the lab, "tcp4" or "udp4".
func (s *space) Dial(network, addr string) (net.Conn, error) {
	file, err := s.ask("dial " + network + " " + addr)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return net.FileConn(file)
}

func (s *space) path(name string) string { return filepath.Join(s.dir, name) }
