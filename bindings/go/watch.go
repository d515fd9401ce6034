package runner

// #include <poll.h>
// #include <runner.h>
//
// // What runner_process_step() returns, or 2 where it has more to do at once.
// static int step(runner_process_t *process, runner_result_t *result)
// {
//     struct pollfd fd = {runner_process_fd(process), POLLIN, 0};
//     int status = runner_process_step(process, result);
//     return status == 0 && poll(&fd, 1, 0) != 0 ? 2 : status;
// }
import "C"

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// How a run is waited for without a thread.
//
// The library has one fd for a run, itself an epoll, which is readable when there is something to do. A duplicate of it
// is given to Go as a file that does not block, so that it is registered in the netpoller, Go's own epoll, and a
// goroutine that waits for it is parked. Nested in another one, an epoll is like any other fd.
//
// The netpoller registers for edges: it is told when the fd becomes readable, not that it still is. So the goroutine
// may go to sleep only when it has seen the fd not readable after its last step. What happens between that look and
// the sleep is a new edge, and Go remembers it.

// pollable is the duplicate.
func pollable(fd int) (*os.File, error) {
	own, err := duplicate(fd)
	if err != nil {
		return nil, &Error{StageWatch, -1, err.(syscall.Errno), "a duplicate of the run's fd: " + err.Error()}
	}
	syscall.SetNonblock(own, true)
	file := os.NewFile(uintptr(own), "runner")
	// Go says nothing where it could not register the fd, but then there are no deadlines either.
	if err := file.SetReadDeadline(time.Time{}); err != nil {
		file.Close()
		return nil, &Error{StageWatch, -1, syscall.ENOSPC, "Go's netpoller does not take the run's fd: " + err.Error()}
	}
	return file, nil
}

// stepToTheEnd returns when the run has ended, or with an error when it can be watched no more.
func (p *Process) stepToTheEnd(fd *os.File) error {
	conn, err := fd.SyscallConn()
	if err != nil {
		return err
	}
	var status C.int
	err = conn.Read(func(uintptr) bool {
		const more = 2
		for status = more; status == more; {
			status = p.step()
		}
		return status != 0
	})
	if err == nil {
		err = errnoOf(status)
	}
	if err != nil {
		return fmt.Errorf("runner: the run could not be watched to its end: %w", err)
	}
	return nil
}

func (p *Process) step() (status C.int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	steps.pass(func() { status = C.step(p.handle, &p.last) })
	for _, c := range p.captures {
		if c.to != nil {
			c.to.notify()
		}
	}
	return status
}
