// Package launch starts programs that end with us.
package launch

import (
	"os/exec"
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
