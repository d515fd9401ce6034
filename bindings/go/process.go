package runner

// #include <runner.h>
import "C"

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"unsafe"
)

// Process is a watched run, made by Cmd.Start. Any number of goroutines may use it at once.
type Process struct {
	pid      int
	captures []capture
	// done is closed when result and err are there.
	done   chan struct{}
	result *Result
	err    error

	mu sync.Mutex
	// handle is nil once the run has ended; nothing of the library is held then.
	handle *C.runner_process_t
	last   C.runner_result_t
	// sent is how much of a capture its forwarder has.
	sent map[int]int
	// kept is the rest of each capture, once the run has ended.
	kept map[int][]byte
	// killed by the caller, or by the context where cancelled is why.
	killed    bool
	cancelled error
	closed    bool
}

// Run starts the program, waits for its end, and tells what became of it. When the context is done first, the whole
// tree of the run is killed; the error wraps ctx.Err() then, and the result is there too.
//
// An error without a result says that nothing was started: an [*Error] of the launch, an [*OptionError], or the
// context's. What the program does is never an error.
func (c *Cmd) Run(ctx context.Context) (*Result, error) {
	p, err := c.Start(ctx)
	if err != nil {
		return nil, err
	}
	return p.Wait()
}

// Start starts the program and returns while it runs: its exec has happened. It is watched from then on, whether or not
// anybody waits: limits are enforced, output is taken in, the context is heeded.
func (c *Cmd) Start(ctx context.Context) (*Process, error) {
	if ctx == nil {
		return nil, errors.New("runner: the context is nil")
	}
	io, err := c.stdio(true)
	if err != nil {
		return nil, err
	}
	p, watch, err := c.spawn(ctx, io)
	if err != nil {
		io.abandon()
		return nil, err
	}
	io.release()
	go p.watch(ctx, watch, begin(io.carriers, p, c.WaitDelay))
	return p, nil
}

func (c *Cmd) spawn(ctx context.Context, io *stdio) (*Process, *os.File, error) {
	o, err := c.options(io)
	if err != nil {
		return nil, nil, err
	}
	defer o.free()
	var handle *C.runner_process_t
	failure := newError()
	spawn := func() { handle = C.runner_spawn(o.runner, &failure) }
	if err := starts.passInTime(ctx, func() { c.onItsThread(spawn) }); err != nil {
		return nil, nil, fmt.Errorf("runner: not started: %w", err)
	}
	if handle == nil {
		return nil, nil, failed(&failure)
	}
	watch, err := pollable(int(C.runner_process_fd(handle)))
	if err != nil {
		C.runner_process_free(handle)
		return nil, nil, err
	}
	return &Process{
		pid:      int(C.runner_process_pid(handle)),
		captures: io.captures,
		done:     make(chan struct{}),
		handle:   handle,
		last:     C.runner_result_t{size: C.sizeof_runner_result_t},
		sent:     make(map[int]int),
	}, watch, nil
}

// onItsThread makes the call that makes the process: see the package's notes on threads.
func (c *Cmd) onItsThread(start func()) {
	if c.DeathSignal != 0 && !c.Ptrace {
		onLastingThread(start)
	} else {
		start()
	}
}

// Pid is of the run's first process. Once the run has ended, the number may be another process's.
func (p *Process) Pid() int { return p.pid }

// Done is closed when Wait would not block.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait waits for the end of the run and of the goroutines that carry its input and output. It may be called by any
// number of goroutines, and again. The error is not nil where the context ended the run, or where a reader or writer
// failed or blocked for too long; the result is there in any case.
func (p *Process) Wait() (*Result, error) {
	if p.isClosed() {
		return nil, errClosed
	}
	<-p.done
	result := *p.result
	return &result, p.err
}

// Kill kills the whole tree of the run, whatever it has forked. The verdict is VerdictKilled then, unless it had ended
// by itself.
func (p *Process) Kill() error {
	if p.isClosed() {
		return errClosed
	}
	return p.kill(nil)
}

func (p *Process) kill(why error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.handle == nil {
		return nil
	}
	if !p.killed {
		p.killed, p.cancelled = true, why
	}
	var code C.int
	steps.pass(func() { code = C.runner_process_kill(p.handle) })
	return errnoOf(code)
}

// Close kills the run if it has not ended, and waits for its end. Every call but Close, Pid and Done fails with
// os.ErrClosed from then on; who waited already gets the result.
func (p *Process) Close() error {
	if p.done == nil {
		return errClosed
	}
	err := p.kill(nil)
	<-p.done
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed, p.kept = true, nil
	return err
}

var errClosed = fmt.Errorf("runner: the process is closed: %w", os.ErrClosed)

func (p *Process) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.unusable()
}

// unusable: closed, or not made by Start. p.mu is held.
func (p *Process) unusable() bool { return p.closed || p.done == nil }

// Usage is the figures so far, of a run that goes on (VerdictNone) or has ended.
func (p *Process) Usage() (*Result, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unusable() {
		return nil, errClosed
	}
	usage := p.last
	if p.handle != nil {
		var code C.int
		steps.pass(func() { code = C.runner_process_usage(p.handle, &usage) })
		if code < 0 {
			return nil, errnoOf(code)
		}
	}
	return convert(&usage), nil
}

// Output is what the program has written so far to an fd of Cmd.Capture or Cmd.CaptureHead.
func (p *Process) Output(fd int) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unusable() {
		return nil, errClosed
	}
	for _, c := range p.captures {
		if c.fd == fd && c.to == nil {
			return p.output(fd, 0), nil
		}
	}
	return nil, fmt.Errorf("runner: fd %d is not captured: %w", fd, syscall.EINVAL)
}

// output copies what was captured, without its beginning. p.mu is held.
func (p *Process) output(fd, from int) []byte {
	if p.handle == nil {
		return bytes.Clone(p.kept[fd])
	}
	var data unsafe.Pointer
	var n C.size_t
	C.runner_process_output(p.handle, C.int(fd), &data, &n)
	return append([]byte{}, unsafe.Slice((*byte)(data), int(n))[from:]...)
}

// captured is what the forwarder has not had yet, and whether that was all.
func (p *Process) captured(f *forwarder) (parts [][]byte, last bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.captures {
		if c.to == f {
			part := p.output(c.fd, p.sent[c.fd])
			parts = append(parts, part)
			p.sent[c.fd] += len(part)
			delete(p.kept, c.fd)
		}
	}
	return parts, p.handle == nil
}

// watch is the run's goroutine.
func (p *Process) watch(ctx context.Context, fd *os.File, finish func() error) {
	stop := context.AfterFunc(ctx, func() { p.kill(reason(ctx)) })
	failure := p.stepToTheEnd(fd)
	stop()
	fd.Close()
	p.end()
	carried := finish()
	p.conclude(failure, carried)
	close(p.done)
}

// end takes what there is to know and frees the run.
func (p *Process) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := make(map[int][]byte)
	for _, c := range p.captures {
		kept[c.fd] = p.output(c.fd, p.sent[c.fd])
	}
	steps.pass(func() { C.runner_process_free(p.handle) })
	p.handle, p.kept = nil, kept
}

func (p *Process) conclude(failures ...error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	result := convert(&p.last)
	result.Output = make(map[int][]byte)
	for _, c := range p.captures {
		if c.to == nil {
			result.Output[c.fd] = p.kept[c.fd]
		}
	}
	if result.Verdict == VerdictKilled {
		failures = append([]error{p.cancelled}, failures...)
	}
	p.result, p.err = result, errors.Join(failures...)
}

func reason(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return fmt.Errorf("runner: the run was killed: %w", cause)
	}
	return fmt.Errorf("runner: the run was killed: %w: %w", err, cause)
}

func errnoOf(code C.int) error {
	if code < 0 {
		return syscall.Errno(-code)
	}
	return nil
}
