// Package launch starts programs that end with us.
package launch

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
)

var launcher = sync.OnceValue(func() chan func() {
	requests := make(chan func())
	go func() {
		runtime.LockOSThread()
		for request := range requests {
			request()
		}
	}()
	return requests
})

// Start starts a command that dies with us, also when we are killed. The
// kernel sends that signal when the *thread* ends that started the command, so
// one that lives as long as we do starts them all.
func Start(command *exec.Cmd) error {
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	command.SysProcAttr.Pdeathsig = syscall.SIGKILL
	result := make(chan error)
	launcher() <- func() { result <- command.Start() }
	return <-result
}

// Program is where the node's program is built, seen from a package's folder, or
// what FEMTOKUBELET names. The error says what to do when there is none.
func Program() (string, error) {
	path := os.Getenv("FEMTOKUBELET")
	if path == "" {
		path = filepath.Join("..", "..", "build", "release", "femtokubelet")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(path); err != nil || info.Mode()&0o111 == 0 {
		return "", fmt.Errorf("no program at %s: run \"make release\" in the repository's root first, "+
			"or name one in FEMTOKUBELET", path)
	}
	return path, nil
}
