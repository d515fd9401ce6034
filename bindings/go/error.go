package runner

// #include <runner.h>
import "C"

import (
	"errors"
	"fmt"
	"syscall"
)

// Error says where and why a launch failed. Nothing of it is left behind.
//
// errors.Is finds the errno: errors.Is(err, syscall.ENOENT), errors.Is(err, fs.ErrNotExist).
type Error struct {
	// Stage is what was being done.
	Stage Stage
	// Index is which element of it, from 0: a piece of the root, a limit, an fd of the program. -1: it has none.
	Index int
	// Errno is what the kernel said, or what the library says in its place.
	Errno syscall.Errno
	// Message is a sentence for a person.
	Message string
}

// Error is one line: the stage, which element of it, and the message.
func (e *Error) Error() string {
	if e.Index < 0 {
		return fmt.Sprintf("runner: %s: %s", e.Stage, e.Message)
	}
	return fmt.Sprintf("runner: %s[%d]: %s", e.Stage, e.Index, e.Message)
}

// Unwrap is the errno.
func (e *Error) Unwrap() error { return e.Errno }

// OptionError is an option that no start could use. Nothing was tried.
type OptionError struct {
	// Option is the field of Cmd, and which element of it: "Nice", "Root[2]".
	Option string
	// Err is what is wrong with it.
	Err error
}

// Error names the option and what is wrong with it.
func (e *OptionError) Error() string { return fmt.Sprintf("runner: option %s: %v", e.Option, e.Err) }

// Unwrap is what is wrong: syscall.EINVAL for most, os.ErrClosed for a closed file.
func (e *OptionError) Unwrap() error { return e.Err }

// ErrWaitDelay: the run has ended, but a reader or a writer still blocked when [Cmd.WaitDelay] was over.
var ErrWaitDelay = errors.New("runner: a reader or writer blocked longer than WaitDelay")

func newError() C.runner_error_t { return C.runner_error_t{size: C.sizeof_runner_error_t} }

func failed(e *C.runner_error_t) *Error {
	return &Error{
		Stage:   Stage(e.stage),
		Index:   int(e.index),
		Errno:   syscall.Errno(e.err),
		Message: C.GoString(&e.message[0]),
	}
}
