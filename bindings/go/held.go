package runner

// #include <runner.h>
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
)

// Launch starts the program and does not watch it: it is an ordinary child of this process, to be waited for with
// Process.Wait. Limits, captures, and readers and writers that are no files need Start or Run.
//
// With Ptrace or StopBeforeSeccomp the process stops, or is about to, when Launch returns.
func (c *Cmd) Launch() (*os.Process, error) {
	o, io, err := c.unwatched()
	if err != nil {
		return nil, err
	}
	defer io.release()
	defer o.free()
	var pid C.pid_t
	failure := newError()
	starts.pass(func() { c.onItsThread(func() { pid = C.runner_start(o.runner, &failure) }) })
	return started(pid, &failure)
}

// Held is a process, made by Cmd.Hold, that waits, complete, right before its exec: to be put into cgroups, looked at, attached to. It is
// ended by Resume or Abort; one that becomes garbage is aborted. Any number of goroutines may use it at once.
//
// Each takes a thread of the process until then. If the host dies, the held process dies.
type Held struct {
	mu     sync.Mutex
	handle *C.runner_held_t
	pid    int
}

// Hold starts the program up to the step right before its exec. What Launch refuses it refuses too.
func (c *Cmd) Hold() (*Held, error) {
	o, io, err := c.unwatched()
	if err != nil {
		return nil, err
	}
	defer io.release()
	defer o.free()
	var handle *C.runner_held_t
	failure := newError()
	starts.pass(func() { c.onItsThread(func() { C.runner_start_held(o.runner, &handle, &failure) }) })
	if handle == nil {
		return nil, failed(&failure)
	}
	h := &Held{handle: handle, pid: int(C.runner_held_pid(handle))}
	// Not on the goroutine of the finalizers, which everybody needs: the process has to be waited for.
	runtime.SetFinalizer(h, func(h *Held) { go h.Abort() })
	return h, nil
}

func (c *Cmd) unwatched() (*options, *stdio, error) {
	io, err := c.stdio(false)
	if err != nil {
		return nil, nil, err
	}
	o, err := c.options(io)
	if err != nil {
		io.abandon()
		return nil, nil, err
	}
	return o, io, nil
}

func started(pid C.pid_t, failure *C.runner_error_t) (*os.Process, error) {
	if pid < 0 {
		return nil, failed(failure)
	}
	// Nobody has waited for it, so the number is still its own.
	return os.FindProcess(int(pid))
}

// Pid is of the held process, and of the program that it becomes.
func (h *Held) Pid() int { return h.pid }

// PidFD is a pidfd of the held process, yours to close.
func (h *Held) PidFD() (*os.File, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.handle == nil {
		return nil, errEnded
	}
	fd := C.runner_held_pidfd(h.handle)
	if fd < 0 {
		return nil, syscall.Errno(-fd)
	}
	own, err := duplicate(int(fd))
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(own), "pidfd"), nil
}

// Resume lets the process execute its program, which is an ordinary child of this process from then on.
func (h *Held) Resume() (*os.Process, error) {
	handle := h.take()
	if handle == nil {
		return nil, errEnded
	}
	failure := newError()
	var pid C.pid_t
	starts.pass(func() { pid = C.runner_held_resume(handle, &failure) })
	return started(pid, &failure)
}

// Abort kills and reaps the process. After Resume or another Abort it does nothing, and says so: os.ErrClosed.
func (h *Held) Abort() error {
	handle := h.take()
	if handle == nil {
		return errEnded
	}
	starts.pass(func() { C.runner_held_abort(handle) })
	return nil
}

var errEnded = fmt.Errorf("runner: the hold has ended: %w", os.ErrClosed)

func (h *Held) take() *C.runner_held_t {
	h.mu.Lock()
	defer h.mu.Unlock()
	handle := h.handle
	h.handle = nil
	runtime.SetFinalizer(h, nil)
	return handle
}
