package runner

import (
	"context"
	"runtime"
)

// gate bounds how many goroutines are inside the library at once, since each takes a thread while it is there. Without
// it a thousand runs that are due in one moment would make Go start hundreds of threads, which it never ends.
type gate chan struct{}

// Starts may take long (a slow file system), steps must not wait for them: a limit may be due.
var starts, steps = make(gate, atOnce), make(gate, atOnce)

var atOnce = max(8, 2*runtime.GOMAXPROCS(0))

func (g gate) pass(call func()) {
	g <- struct{}{}
	defer g.leave()
	call()
}

// passInTime gives up when the context is done first.
func (g gate) passInTime(ctx context.Context, call func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case g <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer g.leave()
	call()
	return nil
}

func (g gate) leave() { <-g }

// lasting is a goroutine that never leaves its thread and never ends, so the thread ends with the process only.
type lasting chan func()

// Never more than atOnce exist: who asks has passed the gate of the starts.
var idle = make(chan lasting, atOnce)

// onLastingThread makes a call on a thread that outlives every goroutine.
func onLastingThread(call func()) {
	var thread lasting
	select {
	case thread = <-idle:
	default:
		thread = make(lasting)
		go thread.serve()
	}
	done := make(chan struct{})
	thread <- func() {
		defer close(done)
		call()
		idle <- thread
	}
	<-done
}

func (l lasting) serve() {
	runtime.LockOSThread()
	for call := range l {
		call()
	}
}
