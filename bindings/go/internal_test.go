package runner

import (
	"context"
	"os"
	"syscall"
	"testing"
)

func TestVersionsThatFit(t *testing.T) {
	for version, want := range map[uint32]bool{0x000100: true, 0x000105: true, 0x000200: false, 0x010100: false} {
		if err := fits(version); (err == nil) != want {
			t.Errorf("%#x: %v", version, err)
		}
	}
	if want := "0.1."; Version()[:4] != want {
		t.Errorf("%s", Version())
	}
}

// If the netpoller fails, nobody would enforce the limits: the run is ended, and Wait says why.
func TestRunThatCannotBeWatchedAnyMore(t *testing.T) {
	cmd := New("/bin/sleep", "1000")
	io, err := cmd.stdio(true)
	if err != nil {
		t.Fatal(err)
	}
	p, watch, err := cmd.spawn(context.Background(), io)
	if err != nil {
		t.Fatal(err)
	}
	watch.Close()
	p.watch(context.Background(), watch, begin(io.carriers, p, 0))
	result, err := p.Wait()
	if err == nil || result == nil || result.Verdict != VerdictNone {
		t.Errorf("%v, %+v", err, result)
	}
	if syscall.Kill(p.Pid(), 0) != syscall.ESRCH {
		t.Error("it lives")
	}
}

// What the netpoller does not take is an error, not a thread that blocks.
func TestFdThatCannotBePolled(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if watch, err := pollable(int(file.Fd())); err == nil {
		watch.Close()
		t.Error("a file of a disk can be polled")
	}
}
