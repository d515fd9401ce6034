package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"time"
)

// carrier is a goroutine between the program and a reader or writer of the caller's.
type carrier interface {
	// carry returns when there is nothing more to carry. It may block in the caller's reader or writer.
	carry(p *Process) error
	// runEnded tells it that the program is gone.
	runEnded()
	// close closes the host's end of its pipe.
	close()
}

const part = 32 << 10

// feeder copies a reader into the program's input.
type feeder struct {
	from io.Reader
	pipe *os.File
	over chan struct{}
}

func (f *feeder) carry(*Process) error {
	defer f.pipe.Close()
	buffer := make([]byte, part)
	for {
		n, err := f.from.Read(buffer)
		select {
		case <-f.over:
			return nil
		default:
		}
		if n < 0 || n > len(buffer) {
			return errors.New("runner: Stdin: a Read that returned an impossible count")
		}
		if _, closed := f.pipe.Write(buffer[:n]); closed != nil {
			// The program wants no more: that is its own business.
			return nil
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("runner: Stdin: %w", err)
		}
	}
}

func (f *feeder) runEnded() {
	close(f.over)
	f.pipe.Close()
}

func (f *feeder) close() { f.pipe.Close() }

// drainer copies the program's output to a writer.
type drainer struct {
	to   io.Writer
	pipe *os.File
}

func (d *drainer) carry(*Process) error {
	defer d.pipe.Close()
	buffer := make([]byte, part)
	var failure error
	for {
		n, err := d.pipe.Read(buffer)
		failure = write(d.to, buffer[:n], failure)
		if err != nil {
			return failure
		}
	}
}

// The program's end is closed with it, so what is in the pipe is followed by an end.
func (d *drainer) runEnded() {}

func (d *drainer) close() { d.pipe.Close() }

// forwarder writes what the library has captured to a writer, as it comes.
type forwarder struct {
	to   io.Writer
	wake chan struct{}
}

func (f *forwarder) carry(p *Process) error {
	var failure error
	for range f.wake {
		parts, last := p.captured(f)
		for _, part := range parts {
			failure = write(f.to, part, failure)
		}
		if last {
			break
		}
	}
	return failure
}

func (f *forwarder) runEnded() { f.notify() }

func (f *forwarder) close() {}

func (f *forwarder) notify() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// write goes on after a failure, but writes nothing: the program is not to be blamed for the host's writer.
func write(w io.Writer, data []byte, failure error) error {
	if failure != nil || len(data) == 0 {
		return failure
	}
	n, err := w.Write(data)
	if err == nil && n != len(data) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("runner: output: %w", err)
	}
	return nil
}

// begin starts the carriers; the returned function ends them and tells what went wrong.
func begin(carriers []carrier, p *Process, delay time.Duration) (finish func() error) {
	results := make([]chan error, len(carriers))
	for i, c := range carriers {
		results[i] = make(chan error, 1)
		go func(c carrier, result chan error) { result <- c.carry(p) }(c, results[i])
	}
	return func() error { return await(carriers, results, delay) }
}

func await(carriers []carrier, results []chan error, delay time.Duration) error {
	for _, c := range carriers {
		c.runEnded()
	}
	if delay == 0 {
		delay = time.Second
	}
	err, inTime := collect(results, delay)
	if inTime {
		return err
	}
	for _, c := range carriers {
		c.close()
	}
	// Those that only waited for their pipe end now, and nobody touches their writers any more.
	late, _ := collect(results, lastCall)
	return errors.Join(ErrWaitDelay, err, late)
}

const lastCall = 10 * time.Millisecond

// collect takes the results that come in time. False: some did not.
func collect(results []chan error, delay time.Duration) (failure error, all bool) {
	ctx, cancel := context.WithTimeout(context.Background(), delay)
	defer cancel()
	all = true
	for i, result := range results {
		if result == nil {
			continue
		}
		select {
		case err := <-result:
			failure, results[i] = errors.Join(failure, err), nil
		case <-ctx.Done():
			all = false
		}
	}
	return failure, all
}

// inMemory is the rest of a reader whose whole content is known. The reader does not move, so that a Cmd can be started
// again.
func inMemory(r io.Reader) ([]byte, bool) {
	var rest io.Reader
	switch r := r.(type) {
	case *bytes.Reader:
		copied := *r
		rest = &copied
	case *strings.Reader:
		copied := *r
		rest = &copied
	default:
		return nil, false
	}
	content, err := io.ReadAll(rest)
	return content, err == nil
}

// isNil is whether an interface holds a nil pointer, whose methods would panic.
func isNil(value any) bool {
	v := reflect.ValueOf(value)
	return v.Kind() == reflect.Pointer && v.IsNil()
}
