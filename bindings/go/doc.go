// Package runner starts untrusted programs in Linux namespaces, with limits, filters and a root of their own, and tells
// what became of them. It is librunner for Go; the manual of every option is runner.h.
//
// A [Cmd] is used like an [os/exec.Cmd]:
//
//	cmd := runner.New("/bin/echo", "hello")
//	cmd.WallLimit = 2 * time.Second
//	cmd.Capture = map[int]int64{1: 1 << 20}
//	result, err := cmd.Run(ctx)
//
// A launch that fails is an [*Error]: which step failed, on which element, with which errno. What the program does is
// never an error: [Result] has the verdict, what decided it, and the figures.
//
// # Threads
//
// A run is watched by one goroutine, which waits in Go's netpoller. It takes no thread: a thousand runs at once need
// about as many threads as one. To keep it so, only some starts are under way at a time, twice as many as CPUs and at
// least 8; the others wait for their turn, or for the end of their context.
//
// A start inherits what is bound to the calling thread (its namespaces, its filters), as with os/exec. There are two
// exceptions to "any thread will do", both of the kernel's making:
//
//   - [Cmd.DeathSignal] is sent when the thread that started the program ends, not when the process does. Go ends the
//     thread of a goroutine that exits while locked to it. So these programs are started by threads of this package's
//     own, which live as long as the process. What is bound to the caller's thread does not reach them.
//   - [Cmd.Ptrace] makes the calling thread the tracer, and no other may continue the program. Call
//     [runtime.LockOSThread] before the start, and stay until the program is gone. Such a start is always made by the
//     caller's thread, so DeathSignal is bound to that one.
//
// # Garbage
//
// A Cmd is plain data. A [Process] is watched to its end, whether or not anybody still has it: its limits hold, its
// context ends it, and everything it took is given back then. A [Held] that becomes garbage is aborted.
package runner
