package runner

// #include <stdlib.h>
// #include <runner.h>
import "C"

import (
	"fmt"
	"math"
	"strings"
	"syscall"
	"unsafe"
)

// From Go's values to C's: what does not fit is the option's error, and only the first one counts. What is converted
// after an error is harmless: the runner is thrown away.

func (o *options) fail(option string, err error) {
	if o.err == nil {
		o.err = &OptionError{option, err}
	}
}

// check is for what a setter returned.
func (o *options) check(option string, code C.int) {
	if code < 0 {
		o.fail(option, syscall.Errno(-code))
	}
}

func element(option string, i int) string { return fmt.Sprintf("%s[%d]", option, i) }

var errNUL = fmt.Errorf("a NUL in the string: %w", syscall.EINVAL)
var errNegative = fmt.Errorf("a negative number: %w", syscall.EINVAL)
var errRange = fmt.Errorf("a number out of range: %w", syscall.EINVAL)
var errTwice = fmt.Errorf("what the program gets there is said twice: %w", syscall.EINVAL)

// text is a C string that lives as long as the options.
func (o *options) text(option, s string) *C.char {
	if strings.IndexByte(s, 0) >= 0 {
		o.fail(option, errNUL)
		return nil
	}
	text := C.CString(s)
	o.memory = append(o.memory, unsafe.Pointer(text))
	return text
}

func (o *options) textOrNull(option, s string) *C.char {
	if s == "" {
		return nil
	}
	return o.text(option, s)
}

// texts is an array of C strings, ended by NULL.
func (o *options) texts(option string, list []string) **C.char {
	array := C.calloc(C.size_t(len(list)+1), C.size_t(unsafe.Sizeof((*C.char)(nil))))
	o.memory = append(o.memory, array)
	for i, s := range list {
		unsafe.Slice((**C.char)(array), len(list))[i] = o.text(element(option, i), s)
	}
	return (**C.char)(array)
}

func (o *options) number(option string, n int) C.int {
	if n < math.MinInt32 || n > math.MaxInt32 {
		o.fail(option, errRange)
	}
	return C.int(n)
}

func (o *options) unsigned(option string, n int) C.uint32_t {
	if n < 0 {
		o.fail(option, errNegative)
	} else if int64(n) > math.MaxUint32 {
		o.fail(option, errRange)
	}
	return C.uint32_t(n)
}

func (o *options) size(option string, n int64) C.uint64_t {
	if n < 0 {
		o.fail(option, errNegative)
	}
	return C.uint64_t(n)
}

// pointer is never NULL, which says something else than "no bytes".
func pointer(b []byte) unsafe.Pointer {
	if len(b) == 0 {
		b = []byte{0}
	}
	return unsafe.Pointer(&b[0])
}
