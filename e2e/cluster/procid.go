package cluster

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ProcessID names one process for good: a pid alone may be handed to another
// process later, and start times begin again at every boot.
type ProcessID struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks since boot, /proc/PID/stat field 22
	Boot  string `json:"boot"`  // /proc/sys/kernel/random/boot_id
}

// IdentifyProcess looks up a process that is running now.
func IdentifyProcess(pid int) (ProcessID, error) {
	start, err := startTime(pid)
	if err != nil {
		return ProcessID{}, err
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ProcessID{}, err
	}
	return ProcessID{PID: pid, Start: start, Boot: strings.TrimSpace(string(boot))}, nil
}

// Alive says whether this very process still runs. A zombie does not.
func (id ProcessID) Alive() bool {
	if id.PID <= 0 {
		return false
	}
	now, err := IdentifyProcess(id.PID)
	return err == nil && now == id
}

// Signal sends sig to this very process; it is no error if it is gone.
func (id ProcessID) Signal(sig syscall.Signal) error {
	if id.PID <= 0 {
		return nil
	}
	// FindProcess holds a pidfd: after the check below, the signal cannot
	// reach a later owner of the number.
	process, err := os.FindProcess(id.PID)
	if err != nil {
		return err
	}
	defer process.Release()
	if !id.Alive() {
		return nil
	}
	if err := process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %v to pid %d: %w", sig, id.PID, err)
	}
	return nil
}

// WaitGone polls until the process has ended, or says that it has not.
func (id ProcessID) WaitGone(timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	for id.Alive() {
		if time.Now().After(deadline) {
			return fmt.Errorf("pid %d still runs after %v", id.PID, timeout)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil
}

func startTime(pid int) (uint64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return parseStartTime(string(data))
}

// parseStartTime reads field 22 of /proc/PID/stat. Field 2, the name, may hold
// blanks and parentheses itself, so counting starts behind the last ')'.
func parseStartTime(stat string) (uint64, error) {
	end := strings.LastIndexByte(stat, ')')
	if end < 0 {
		return 0, errors.New("/proc stat line without a name")
	}
	fields := strings.Fields(stat[end+1:])
	const stateField, startField = 3 - 3, 22 - 3
	if len(fields) <= startField {
		return 0, errors.New("/proc stat line too short")
	}
	if fields[stateField] == "Z" || fields[stateField] == "X" {
		return 0, os.ErrProcessDone
	}
	return strconv.ParseUint(fields[startField], 10, 64)
}
