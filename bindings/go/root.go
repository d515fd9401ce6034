package runner

// #include <runner.h>
import "C"

import "syscall"

// Piece is one thing that a root of its own consists of: [Bind], [Tmpfs], [Proc], [Dev], [Dir], [Symlink], [File] or
// [Mount]. Targets and paths lie inside the new root; a leading slash changes nothing; there may be no "..". What is
// missing of the way to them is made.
type Piece interface {
	add(o *options, option string)
}

// Bind is a file or directory of the host. Set-user-ID bits and device files do not work beneath it unless the flags
// say so.
type Bind struct {
	Source, Target string
	Flags          BindFlags
}

// BindFlags say what a Bind lets through, or'ed together; 0: writable, without what is mounted beneath it.
type BindFlags uint32

// What a Bind lets through.
const (
	// Read-only, and really so, with everything beneath where BindRec is given.
	BindRO BindFlags = C.RUNNER_BIND_RO
	// Also what is mounted beneath the source.
	BindRec BindFlags = C.RUNNER_BIND_REC
	// Skipped where the source does not exist when the run starts.
	BindOptional BindFlags = C.RUNNER_BIND_OPTIONAL
	// Nothing beneath it can be executed.
	BindNoExec BindFlags = C.RUNNER_BIND_NOEXEC
	// Device files beneath it work; without this they cannot be opened.
	BindDev BindFlags = C.RUNNER_BIND_DEV
	// Set-user-ID bits and file capabilities beneath it work; without this they are ignored.
	BindSUID BindFlags = C.RUNNER_BIND_SUID
)

// Tmpfs is an empty tmpfs that belongs to the program. nosuid and nodev.
type Tmpfs struct {
	Target string
	// Size is in bytes; 0: the kernel's default, half of the memory.
	Size int64
	// Mode of its top directory, as chmod(2) takes it: 0o1777.
	Mode uint32
}

// Proc is the proc file system of the new pid namespace. nosuid, nodev and noexec.
type Proc struct {
	Target string
	Flags  ProcFlags
}

// ProcFlags say what a Proc hides, or'ed together; 0: nothing.
type ProcFlags uint32

// What a Proc hides.
const (
	// Only the processes, nothing about the machine (`subset=pid`, Linux 5.8).
	ProcSubset ProcFlags = C.RUNNER_PROC_SUBSET
	// Processes of other users are invisible (`hidepid=2`).
	ProcHidePID ProcFlags = C.RUNNER_PROC_HIDEPID
	// Kcore, keys, sysrq-trigger and their like are covered; sys, bus, fs and irq are read-only.
	ProcMask ProcFlags = C.RUNNER_PROC_MASK
	// All of it is read-only.
	ProcRO ProcFlags = C.RUNNER_PROC_RO
)

// Dev is a minimal, read-only /dev: null, zero, full, random, urandom, tty, fd and its like, shm, pts.
type Dev struct {
	Target string
}

// Dir is a directory with the mode, whatever the umask.
type Dir struct {
	Path string
	Mode uint32
}

// Symlink is a symbolic link at Path that leads to To.
type Symlink struct {
	To, Path string
}

// File is a small file with the contents and the mode, whatever the umask.
type File struct {
	Path     string
	Contents []byte
	Mode     uint32
}

// Mount is a mount as mount(2) takes it; Flags are the MS_* of package syscall. "" is NULL.
type Mount struct {
	Source, Target, Type string
	Flags                uint64
	Data                 string
}

func (b Bind) add(o *options, option string) {
	source, target := o.text(option, b.Source), o.text(option, b.Target)
	o.check(option, C.runner_add_bind(o.runner, source, target, C.uint32_t(b.Flags)))
}

func (t Tmpfs) add(o *options, option string) {
	target, size := o.text(option, t.Target), o.size(option, t.Size)
	o.check(option, C.runner_add_tmpfs(o.runner, target, size, C.uint32_t(t.Mode)))
}

func (p Proc) add(o *options, option string) {
	o.check(option, C.runner_add_proc(o.runner, o.text(option, p.Target), C.uint32_t(p.Flags)))
}

func (d Dev) add(o *options, option string) {
	o.check(option, C.runner_add_dev(o.runner, o.text(option, d.Target)))
}

func (d Dir) add(o *options, option string) {
	o.check(option, C.runner_add_dir(o.runner, o.text(option, d.Path), C.uint32_t(d.Mode)))
}

func (s Symlink) add(o *options, option string) {
	o.check(option, C.runner_add_symlink(o.runner, o.text(option, s.To), o.text(option, s.Path)))
}

func (f File) add(o *options, option string) {
	contents := pointer(f.Contents)
	o.check(option, C.runner_add_file(o.runner, o.text(option, f.Path), contents, C.size_t(len(f.Contents)),
		C.uint32_t(f.Mode)))
}

func (m Mount) add(o *options, option string) {
	source, target := o.textOrNull(option, m.Source), o.text(option, m.Target)
	kind, data := o.textOrNull(option, m.Type), o.textOrNull(option, m.Data)
	o.check(option, C.runner_add_mount(o.runner, source, target, kind, C.uint64_t(m.Flags), data))
}

func (o *options) root(c *Cmd) {
	if c.PivotRoot != "" {
		o.check("PivotRoot", C.runner_set_pivot_root(o.runner, o.text("PivotRoot", c.PivotRoot)))
	}
	o.check("RootWritable", C.runner_set_root_writable(o.runner, C.bool(c.RootWritable)))
	for i, piece := range c.Root {
		option := element("Root", i)
		if piece == nil {
			o.fail(option, syscall.EINVAL)
			continue
		}
		piece.add(o, option)
	}
}
