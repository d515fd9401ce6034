package runner_test

import (
	"bytes"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"librunner/runner"
)

// Everything that C reads has to be there while it reads it.
func TestCollectionsDuringRuns(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	stop := make(chan struct{})
	collected := make(chan struct{})
	go func() {
		defer close(collected)
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	}()
	var group sync.WaitGroup
	for i := 0; i < 4; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for j := 0; j < 25; j++ {
				var errors bytes.Buffer
				// Strings and readers that nothing else refers to.
				cmd := runner.New("/bin/sh", "-c", strings.Clone("cat; echo $A; pwd >&2"))
				cmd.Env = []string{strings.Clone("A=") + itoa(j)}
				cmd.Dir = strings.Clone("/usr")
				cmd.Stdin = io.MultiReader(strings.NewReader("input "), strings.NewReader(itoa(j)+"\n"))
				cmd.Stderr = &errors
				cmd.Capture = map[int]int64{1: 1000}
				cmd.OutputLimit = int64(j%2) * 1000
				cmd.Seccomp = []syscall.SockFilter{{Code: 6, K: 0x7fff0000}}
				result := finished(t, cmd)
				if want := "input " + itoa(j) + "\n" + itoa(j) + "\n"; string(result.Output[1]) != want {
					t.Errorf("%q, expected %q", result.Output[1], want)
				}
				if errors.String() != "/usr\n" {
					t.Errorf("%q", errors.String())
				}
			}
		}()
	}
	group.Wait()
	close(stop)
	<-collected
}

func collectUntil(t *testing.T, what string, done func() bool) {
	t.Helper()
	for begin := time.Now(); !done(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > 20*time.Second {
			t.Fatal(what)
		}
		runtime.GC()
	}
}

func TestDroppedProcessIsWatchedToItsEnd(t *testing.T) {
	cmd := runner.New("/bin/sleep", "1000")
	cmd.WallLimit = 300 * time.Millisecond
	pid := func() int {
		process, err := cmd.Start(background)
		if err != nil {
			t.Fatal(err)
		}
		return process.Pid()
	}()
	for i := 0; i < 10; i++ {
		runtime.GC()
	}
	if gone(pid) {
		t.Error("it was ended by the garbage collector")
	}
	collectUntil(t, "its limit does not hold", func() bool { return gone(pid) })
}

func TestDroppedHoldIsAborted(t *testing.T) {
	pid := func() int {
		held, err := runner.New("/bin/true").Hold()
		if err != nil {
			t.Fatal(err)
		}
		return held.Pid()
	}()
	collectUntil(t, "it is held for ever", func() bool { return gone(pid) })
}

// An *os.File that only the Cmd refers to would be closed by its finalizer.
func TestFilesThatOnlyTheCmdHas(t *testing.T) {
	path := t.TempDir() + "/file"
	if err := os.WriteFile(path, []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 50; i++ {
		cmd := runner.New("/bin/cat")
		cmd.Stdin, _ = os.Open(path)
		cmd.Capture = map[int]int64{1: 10}
		runtime.GC()
		if got := string(finished(t, cmd).Output[1]); got != "text" {
			t.Fatalf("%q", got)
		}
	}
}
