package board

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// consolePipe is the console's two FIFOs in the board's folder, consolePipe.in
// and consolePipe.out. Not a socket: QEMU writes byte by byte, of a socket's
// buffer each write takes a kilobyte, and a board drops what it cannot write.
const consolePipe = "console"

// wires lead to one run of QEMU.
type wires struct {
	monitor       net.Conn
	theirs        *os.File // QEMU's end of monitor
	input, output *os.File // of the console
	held          *os.File // output's other end, until QEMU has it open
}

func (b *Board) wire() (w *wires, err error) {
	w = &wires{}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.monitor, w.theirs, err = socketPair(); err != nil {
		return w, err
	}
	base := filepath.Join(b.dir, consolePipe)
	if w.input, err = makeFIFO(base + ".in"); err != nil {
		return w, err
	}
	if w.held, err = makeFIFO(base + ".out"); err != nil {
		return w, err
	}
	w.output, err = os.OpenFile(base+".out", os.O_RDONLY, 0)
	return w, err
}

// makeFIFO makes one without anything in it, and opens it in both directions,
// which waits for nobody.
func makeFIFO(path string) (*os.File, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		return nil, &os.PathError{Op: "mkfifo", Path: path, Err: err}
	}
	return os.OpenFile(path, os.O_RDWR, 0)
}

func socketPair() (net.Conn, *os.File, error) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "socket"), os.NewFile(uintptr(pair[1]), "socket")
	defer ours.Close() // FileConn makes a copy
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return conn, theirs, nil
}

func letGo(file **os.File) {
	if *file != nil {
		(*file).Close()
		*file = nil
	}
}

func (w *wires) close() error {
	letGo(&w.theirs)
	letGo(&w.held)
	if w.monitor != nil {
		w.monitor.Close()
	}
	var errs []error
	for _, file := range []*os.File{w.input, w.output} {
		if file != nil {
			errs = append(errs, file.Close())
		}
	}
	return errors.Join(errs...)
}
