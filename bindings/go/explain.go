package runner

// #include <runner.h>
import "C"

import (
	"fmt"
	"unsafe"
)

// Explain is the program of system calls that a start would run, one step a line, beneath a line that names the
// strategy. Nothing is started.
func (c *Cmd) Explain() (string, error) {
	io, err := c.stdio(true)
	if err != nil {
		return "", err
	}
	defer io.abandon()
	o, err := c.options(io)
	if err != nil {
		return "", err
	}
	defer o.free()
	text := make([]byte, 4096)
	for {
		n := C.runner_explain(o.runner, (*C.char)(unsafe.Pointer(&text[0])), C.size_t(len(text)))
		if n < 0 {
			return "", fmt.Errorf("runner: no start is possible with these options: %w", errnoOf(n))
		}
		if int(n) < len(text) {
			return string(text[:n]), nil
		}
		text = make([]byte, n+1)
	}
}
