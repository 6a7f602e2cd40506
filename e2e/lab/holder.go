package lab

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// holderName is the argv[0] under which a program that has this package in it
// is the holder of a namespace and nothing else.
const holderName = "femtokubelet-lab-holder"

const (
	ownNetwork  = "/proc/self/ns/net"
	controlFD   = 3 // the holder's end of the control socket
	dialTimeout = 5 * time.Second
	maxRequest  = 256

	// linux/if_tun.h
	tunSetIff     = 0x400454ca
	tunSetCarrier = 0x400454e2
	iffTap        = 0x0002
	iffNoPI       = 0x1000
)

// A program cannot enter a user namespace once it has threads, as every Go
// program has; so the sockets are made by a child that was born inside, and
// are handed out. It is the same program, to be had without a second build.
func init() {
	if len(os.Args) == 3 && os.Args[0] == holderName {
		hold(os.Args[1], os.Args[2])
		os.Exit(0)
	}
}

// hold serves until the other end of the control socket is closed, which the
// kernel does for a process that dies, and clears up behind it. It does nothing
// in the network that it must not be in: for root, that is the machine's own.
func hold(dir, notIn string) {
	control, err := packetConn(os.NewFile(controlFD, "control"))
	if err == nil {
		err = configure(notIn)
	}
	for err == nil {
		var request string
		var reply *os.File
		if request, reply, err = receive(control); err == nil && reply != nil {
			go serve(request, reply)
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		fmt.Fprintln(os.Stderr, "network lab:", err)
	}
	// What dies with us may still write.
	for range 20 {
		if os.RemoveAll(dir) == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// configure sets what `ip` cannot. The gateway answers for a network that it
// has no route to with an ICMP error, so it must be a router. IPv6 is off: the
// kernel's own chatter would be in every capture.
func configure(notIn string) error {
	if network, err := os.Readlink(ownNetwork); err != nil || network == notIn {
		return errors.Join(errors.New("the holder is not in a network of its own"), err)
	}
	for _, name := range []string{"all", "default"} {
		err := os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0)
}

// serve answers one request with a file descriptor, or with words.
func serve(request string, reply *os.File) {
	conn, err := packetConn(reply)
	if err != nil {
		return
	}
	defer conn.Close()
	file, err := open(request)
	if err != nil {
		conn.Write([]byte(err.Error()))
		return
	}
	defer file.Close()
	conn.WriteMsgUnix([]byte("."), syscall.UnixRights(int(file.Fd())), nil)
}

// open makes what was asked for: "listen ADDR", "packet ADDR", "dial NETWORK
// ADDR", "tap NAME", or "tun", which is what taps are made of.
func open(request string) (*os.File, error) {
	words := strings.Fields(request)
	var made interface {
		File() (*os.File, error)
		Close() error
	}
	var err error
	switch {
	case len(words) == 1 && words[0] == "tun":
		return openTun()
	case len(words) == 2 && words[0] == "tap":
		return openTap(words[1])
	case len(words) == 2 && words[0] == "listen":
		var listener net.Listener
		listener, err = net.Listen("tcp4", words[1])
		made, _ = listener.(*net.TCPListener)
	case len(words) == 2 && words[0] == "packet":
		var conn net.PacketConn
		conn, err = net.ListenPacket("udp4", words[1])
		made, _ = conn.(*net.UDPConn)
	case len(words) == 3 && words[0] == "dial" && words[1] == "tcp4":
		var conn net.Conn
		conn, err = net.DialTimeout("tcp4", words[2], dialTimeout)
		made, _ = conn.(*net.TCPConn)
	case len(words) == 3 && words[0] == "dial" && words[1] == "udp4":
		var conn net.Conn
		conn, err = net.Dial("udp4", words[2])
		made, _ = conn.(*net.UDPConn)
	default:
		err = fmt.Errorf("unknown request %q", request)
	}
	if err != nil {
		return nil, err
	}
	defer made.Close()
	return made.File()
}

func openTun() (*os.File, error) {
	const path = "/dev/net/tun"
	fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// openTap makes a tap device that lives as long as the file is open.
func openTap(name string) (*os.File, error) {
	file, err := openTun()
	if err != nil {
		return nil, err
	}
	var request struct { // struct ifreq
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}
	copy(request.name[:len(request.name)-1], name)
	request.flags = iffTap | iffNoPI
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, file.Fd(), tunSetIff, uintptr(unsafe.Pointer(&request)))
	if errno != 0 {
		return nil, errors.Join(fmt.Errorf("make tap %s: %w", name, errno), file.Close())
	}
	return file, nil
}

// setCarrier says whether a tap has its cable plugged in (Linux 5.0).
func setCarrier(tap *os.File, up bool) error {
	var carrier int32
	if up {
		carrier = 1
	}
	raw, err := tap.SyscallConn()
	if err != nil {
		return err
	}
	var errno syscall.Errno
	err = raw.Control(func(fd uintptr) {
		_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, tunSetCarrier, uintptr(unsafe.Pointer(&carrier)))
	})
	if err == nil && errno != 0 {
		err = fmt.Errorf("carrier of a tap: %w", errno)
	}
	return err
}

// socketPair is two ends that keep the bounds of messages and pass files.
func socketPair() (*net.UnixConn, *os.File, error) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	theirs := os.NewFile(uintptr(pair[1]), "theirs")
	ours, err := packetConn(os.NewFile(uintptr(pair[0]), "ours"))
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return ours, theirs, nil
}

// packetConn takes the file over.
func packetConn(file *os.File) (*net.UnixConn, error) {
	defer file.Close()
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, err
	}
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, fmt.Errorf("%s is a %T", file.Name(), conn)
	}
	return unix, nil
}

// receive reads one message, and the file that came with it if one did.
func receive(conn *net.UnixConn) (string, *os.File, error) {
	text, rights := make([]byte, maxRequest), make([]byte, syscall.CmsgSpace(4))
	n, oobn, _, _, err := conn.ReadMsgUnix(text, rights)
	if err != nil {
		return "", nil, err
	}
	messages, err := syscall.ParseSocketControlMessage(rights[:oobn])
	if err != nil || len(messages) == 0 {
		return string(text[:n]), nil, err
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil || len(fds) == 0 {
		return string(text[:n]), nil, err
	}
	// Go's poller takes no file that blocks, and (*os.File).Fd may have made it so.
	err = syscall.SetNonblock(fds[0], true)
	return string(text[:n]), os.NewFile(uintptr(fds[0]), "received"), err
}
