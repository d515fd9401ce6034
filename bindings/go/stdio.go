package runner

import (
	"fmt"
	"io"
	"os"
	"slices"
	"syscall"
)

// stdio is what one start gives to the program as its files, and who carries what is no file.
type stdio struct {
	// table is the program's fds, -1 where closed; nil: /dev/null as 0 to 2.
	table []int
	// input is its fd 0, where it is not nil.
	input    []byte
	captures []capture
	carriers []carrier
	// The program's own file and its cgroup; -1: none.
	exec, cgroup int
	// opened is closed when the start has returned: the program has its own by then.
	opened []int
	null   int
	// watched: somebody will see to readers, writers and captures.
	watched bool
	err     error
}

// capture is an fd of which the library keeps what the program writes.
type capture struct {
	fd   int
	most int64
	head bool
	// to carries it on to a writer; nil: it is kept for the result.
	to *forwarder
}

func (c *Cmd) stdio(watched bool) (*stdio, error) {
	s := &stdio{null: -1, watched: watched}
	s.exec, s.cgroup = s.borrow("ExecFile", c.ExecFile), s.borrow("CgroupDir", c.CgroupDir)
	s.capture(c.Capture, false)
	s.capture(c.CaptureHead, true)
	if c.Files != nil {
		s.all(c)
	} else if c.Stdin != nil || c.Stdout != nil || c.Stderr != nil || len(c.ExtraFiles) > 0 {
		s.standard(c)
	}
	s.checkCaptures()
	if c.WaitDelay < 0 {
		s.fail("WaitDelay", errNegative)
	}
	if s.err != nil {
		s.abandon()
		return nil, s.err
	}
	return s, nil
}

func (s *stdio) fail(option string, err error) {
	if s.err == nil {
		s.err = &OptionError{option, err}
	}
}

func (s *stdio) all(c *Cmd) {
	if c.Stdin != nil || c.Stdout != nil || c.Stderr != nil || len(c.ExtraFiles) > 0 {
		s.fail("Files", errTwice)
	}
	s.table = []int{}
	for i, file := range c.Files {
		s.table = append(s.table, s.borrow(element("Files", i), file))
	}
}

func (s *stdio) standard(c *Cmd) {
	stdin, stdout := s.reader(c.Stdin), s.writer(c, "Stdout", 1, c.Stdout)
	stderr := stdout
	// The library makes a pipe of its own for each fd that it reads, so these cannot share one.
	if c.Stdout == nil || c.OutputLimit > 0 || !same(c.Stdout, c.Stderr) {
		stderr = s.writer(c, "Stderr", 2, c.Stderr)
	}
	s.table = []int{stdin, stdout, stderr}
	for i, file := range c.ExtraFiles {
		s.table = append(s.table, s.borrow(element("ExtraFiles", i), file))
	}
}

func (s *stdio) reader(r io.Reader) int {
	switch r := r.(type) {
	case nil:
		return s.devNull(0)
	case *os.File:
		if r != nil {
			return s.borrow("Stdin", r)
		}
	}
	if isNil(r) {
		s.fail("Stdin", os.ErrInvalid)
		return -1
	}
	if !s.watched {
		s.fail("Stdin", errUnwatched)
	}
	if bytes, ok := inMemory(r); ok {
		s.input = bytes
		return -1
	}
	host, program := s.pipe("Stdin", 1)
	s.carriers = append(s.carriers, &feeder{from: r, pipe: host, over: make(chan struct{})})
	return program
}

func (s *stdio) writer(c *Cmd, option string, fd int, w io.Writer) int {
	switch w := w.(type) {
	case nil:
		return s.devNull(fd)
	case *os.File:
		if w != nil {
			return s.borrow(option, w)
		}
	}
	if isNil(w) {
		s.fail(option, os.ErrInvalid)
		return -1
	}
	if !s.watched {
		s.fail(option, errUnwatched)
	}
	if c.OutputLimit > 0 {
		s.captures = append(s.captures, capture{fd: fd, most: c.OutputLimit, to: s.forwarder(w)})
		return -1
	}
	host, program := s.pipe(option, 0)
	s.carriers = append(s.carriers, &drainer{to: w, pipe: host})
	return program
}

var errUnwatched = fmt.Errorf("what is no *os.File needs a watched run, Run or Start: %w", syscall.EINVAL)

// forwarder is one for each writer, so that never two goroutines write to it.
func (s *stdio) forwarder(w io.Writer) *forwarder {
	for _, c := range s.captures {
		if c.to != nil && same(c.to.to, w) {
			return c.to
		}
	}
	f := &forwarder{to: w, wake: make(chan struct{}, 1)}
	s.carriers = append(s.carriers, f)
	return f
}

func (s *stdio) capture(fds map[int]int64, head bool) {
	for fd, most := range fds {
		s.captures = append(s.captures, capture{fd: fd, most: most, head: head})
	}
}

// checkCaptures also puts them into an order, which a map has not.
func (s *stdio) checkCaptures() {
	slices.SortFunc(s.captures, func(a, b capture) int { return a.fd - b.fd })
	for i, c := range s.captures {
		given := c.fd >= 0 && c.fd < len(s.table) && s.table[c.fd] >= 0
		if given || i > 0 && s.captures[i-1].fd == c.fd {
			s.fail(fmt.Sprintf("Capture[%d]", c.fd), errTwice)
		}
	}
}

func (s *stdio) devNull(fd int) int {
	if slices.ContainsFunc(s.captures, func(c capture) bool { return c.fd == fd }) {
		return -1
	}
	if s.null < 0 {
		fd, err := syscall.Open(os.DevNull, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
		if err != nil {
			s.fail(os.DevNull, err)
			return -1
		}
		s.opened = append(s.opened, fd)
		s.null = fd
	}
	return s.null
}

// borrow duplicates the file for the time of the start, so that nobody can close it meanwhile.
func (s *stdio) borrow(option string, file *os.File) int {
	if file == nil {
		return -1
	}
	// As in os/exec: programs expect files that block, and Fd makes it one.
	file.Fd()
	conn, err := file.SyscallConn()
	if err != nil {
		s.fail(option, err)
		return -1
	}
	fd := -1
	if conn.Control(func(own uintptr) { fd, err = duplicate(int(own)) }) != nil {
		err = os.ErrClosed
	}
	if err != nil {
		s.fail(option, err)
		return -1
	}
	s.opened = append(s.opened, fd)
	return fd
}

func duplicate(fd int) (int, error) {
	// Not 0 to 2, which Go takes for the process's own stdio: a broken pipe there would end the host.
	copied, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_DUPFD_CLOEXEC, 3)
	if errno != 0 {
		return -1, errno
	}
	return int(copied), nil
}

// pipe makes one of which the host has this end, for the netpoller; the program's end blocks, as programs expect.
func (s *stdio) pipe(option string, end int) (host *os.File, program int) {
	var ends [2]int
	if err := syscall.Pipe2(ends[:], syscall.O_CLOEXEC); err != nil {
		s.fail(option, err)
		return nil, -1
	}
	s.opened = append(s.opened, ends[1-end])
	own, err := duplicate(ends[end])
	syscall.Close(ends[end])
	if err != nil {
		s.fail(option, err)
		return nil, -1
	}
	syscall.SetNonblock(own, true)
	return os.NewFile(uintptr(own), option), ends[1-end]
}

// release closes what only the start needed.
func (s *stdio) release() {
	for _, fd := range s.opened {
		syscall.Close(fd)
	}
	s.opened = nil
}

// abandon is for a start that failed.
func (s *stdio) abandon() {
	s.release()
	for _, c := range s.carriers {
		c.close()
	}
}

// same is whether both are one writer; those of a type that cannot be compared never are.
func same(a, b io.Writer) bool {
	defer func() { recover() }()
	return a == b
}
