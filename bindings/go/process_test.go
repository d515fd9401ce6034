package runner_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"librunner/runner"
)

func sh(script string) *runner.Cmd { return runner.New("/bin/sh", "-c", script) }

// finished runs a command that is to end by itself with 0.
func finished(t *testing.T, cmd *runner.Cmd) *runner.Result {
	t.Helper()
	result, err := cmd.Run(background)
	if err != nil {
		t.Fatal(err)
	}
	if result.Verdict != runner.VerdictFinished || result.ExitCode != 0 {
		t.Fatalf("%v, exit code %d, stderr %q", result.Verdict, result.ExitCode, result.Output[2])
	}
	return result
}

func start(t *testing.T, cmd *runner.Cmd) *runner.Process {
	t.Helper()
	process, err := cmd.Start(background)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { process.Close() })
	return process
}

func gone(pid int) bool { return syscall.Kill(pid, 0) == syscall.ESRCH }

func TestContextEndsTheWholeTree(t *testing.T) {
	ctx, cancel := context.WithCancel(background)
	cmd := sh("/bin/sleep 1000 & echo $!; wait")
	cmd.Capture = map[int]int64{1: 100}
	process, err := cmd.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var child string
	for child == "" {
		output, err := process.Output(1)
		if err != nil {
			t.Fatal(err)
		}
		child = strings.TrimSpace(string(output))
		time.Sleep(time.Millisecond)
	}
	cancel()
	result, err := process.Wait()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	if result == nil || result.Verdict != runner.VerdictKilled || result.Evidence != runner.EvidenceCaller {
		t.Errorf("the result is %+v", result)
	}
	if pid, err := strconv.Atoi(child); err != nil || !isDead(pid) {
		t.Errorf("its child %s lives", child)
	}
}

func TestContextsDeadline(t *testing.T) {
	ctx, cancel := context.WithTimeout(background, 50*time.Millisecond)
	defer cancel()
	result, err := runner.New("/bin/sleep", "1000").Run(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || result == nil || result.Verdict != runner.VerdictKilled {
		t.Errorf("%v, %+v", err, result)
	}
}

func TestContextsCauseIsTold(t *testing.T) {
	cause := errors.New("the contest is over")
	ctx, cancel := context.WithCancelCause(background)
	time.AfterFunc(50*time.Millisecond, func() { cancel(cause) })
	_, err := runner.New("/bin/sleep", "1000").Run(ctx)
	if !errors.Is(err, context.Canceled) || !errors.Is(err, cause) {
		t.Errorf("the error is %v", err)
	}
}

func TestContextThatIsDoneStartsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(background)
	cancel()
	mark := t.TempDir() + "/mark"
	result, err := runner.New("/bin/touch", mark).Run(ctx)
	if !errors.Is(err, context.Canceled) || result != nil {
		t.Errorf("%v, %+v", err, result)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("it was started")
	}
}

func TestContextAfterTheEndChangesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(background)
	process, err := runner.New("/bin/true").Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	<-process.Done()
	cancel()
	if result, err := process.Wait(); err != nil || result.Verdict != runner.VerdictFinished {
		t.Errorf("%v, %+v", err, result)
	}
}

func TestKillByTheCallerIsNoError(t *testing.T) {
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	process, err := runner.New("/bin/sleep", "1000").Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
	result, err := process.Wait()
	if err != nil || result.Verdict != runner.VerdictKilled {
		t.Errorf("%v, %+v", err, result)
	}
	if err := process.Kill(); err != nil {
		t.Errorf("a kill after the end: %v", err)
	}
}

func TestLimitsHoldThoughNobodyWaits(t *testing.T) {
	cmd := runner.New("/bin/sleep", "1000")
	cmd.WallLimit = 100 * time.Millisecond
	process := start(t, cmd)
	for begin := time.Now(); !gone(process.Pid()); time.Sleep(time.Millisecond) {
		if time.Since(begin) > 20*time.Second {
			t.Fatal("the wall limit was not enforced")
		}
	}
}

func TestFiguresOfARunThatGoesOn(t *testing.T) {
	cmd := sh("echo begun; read line; echo over")
	input, feed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer input.Close()
	cmd.Stdin = input
	cmd.Capture = map[int]int64{1: 100}
	process := start(t, cmd)
	for {
		output, err := process.Output(1)
		if err != nil {
			t.Fatal(err)
		}
		if string(output) == "begun\n" {
			break
		}
		time.Sleep(time.Millisecond)
	}
	usage, err := process.Usage()
	if err != nil || usage.Verdict != runner.VerdictNone || usage.Setup <= 0 || usage.Wall <= 0 {
		t.Errorf("%v, %+v", err, usage)
	}
	select {
	case <-process.Done():
		t.Error("done while it runs")
	default:
	}
	feed.Close()
	result, err := process.Wait()
	if err != nil || string(result.Output[1]) != "begun\nover\n" {
		t.Errorf("%v, %q", err, result.Output[1])
	}
	if usage, err := process.Usage(); err != nil || usage.Verdict != runner.VerdictFinished {
		t.Errorf("afterwards: %v, %+v", err, usage)
	}
	if output, err := process.Output(1); err != nil || string(output) != "begun\nover\n" {
		t.Errorf("afterwards: %v, %q", err, output)
	}
}

func TestManyGoroutinesUseOneProcess(t *testing.T) {
	cmd := sh("while :; do echo line; done")
	cmd.CaptureHead = map[int]int64{1: 1 << 16}
	process := start(t, cmd)
	var group sync.WaitGroup
	for i := 0; i < 8; i++ {
		group.Add(3)
		go func() {
			defer group.Done()
			for {
				select {
				case <-process.Done():
					return
				default:
				}
				process.Usage()
				process.Output(1)
			}
		}()
		go func() {
			defer group.Done()
			if result, err := process.Wait(); err != nil || result.Verdict != runner.VerdictKilled {
				t.Errorf("%v, %+v", err, result)
			}
		}()
		go func() {
			defer group.Done()
			time.Sleep(100 * time.Millisecond)
			if err := process.Kill(); err != nil {
				t.Error(err)
			}
		}()
	}
	group.Wait()
}

func TestManyGoroutinesStartOneCmd(t *testing.T) {
	cmd := runner.New("/bin/cat")
	cmd.Stdin = strings.NewReader("the same for all")
	cmd.Capture = map[int]int64{1: 100}
	var group sync.WaitGroup
	for i := 0; i < 50; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			result, err := cmd.Run(background)
			if err != nil || string(result.Output[1]) != "the same for all" {
				t.Errorf("%v, %+v", err, result)
			}
		}()
	}
	group.Wait()
}

func TestCloseEndsTheRunAndEveryLaterCallFails(t *testing.T) {
	cmd := runner.New("/bin/sleep", "1000")
	cmd.Capture = map[int]int64{1: 100}
	process := start(t, cmd)
	waited := make(chan *runner.Result)
	go func() {
		result, _ := process.Wait()
		waited <- result
	}()
	time.Sleep(20 * time.Millisecond)
	if err := process.Close(); err != nil {
		t.Fatal(err)
	}
	if result := <-waited; result == nil || result.Verdict != runner.VerdictKilled {
		t.Errorf("who waited got %+v", result)
	}
	if !gone(process.Pid()) {
		t.Error("it lives")
	}
	_, output := process.Output(1)
	_, usage := process.Usage()
	_, wait := process.Wait()
	for name, err := range map[string]error{"Output": output, "Usage": usage, "Wait": wait, "Kill": process.Kill()} {
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := process.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}

func TestOutputOfAnFdThatIsNotCaptured(t *testing.T) {
	process := start(t, runner.New("/bin/true"))
	for _, fd := range []int{-1, 0, 1, 77, 1 << 40} {
		if _, err := process.Output(fd); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("fd %d: %v", fd, err)
		}
	}
}

func TestLaunchedProcessIsAnOrdinaryChild(t *testing.T) {
	process, err := sh("exit 3").Launch()
	if err != nil {
		t.Fatal(err)
	}
	state, err := process.Wait()
	if err != nil || state.ExitCode() != 3 {
		t.Errorf("%v, %v", err, state)
	}
}

// One that has ended before anybody looks is still there to be waited for.
func TestLaunchedProcessThatEndsAtOnce(t *testing.T) {
	for i := 0; i < 200; i++ {
		process, err := runner.New("/bin/true").Launch()
		if err != nil {
			t.Fatal(err)
		}
		if state, err := process.Wait(); err != nil || !state.Success() {
			t.Fatal(err, state)
		}
	}
}

func TestHeldProcess(t *testing.T) {
	held, err := sh("exit 4").Hold()
	if err != nil {
		t.Fatal(err)
	}
	name, err := os.Readlink("/proc/" + itoa(held.Pid()) + "/exe")
	own, _ := os.Executable()
	if err != nil || name != own {
		t.Errorf("it is %q before its exec, not this program: %v", name, err)
	}
	pidfd, err := held.PidFD()
	if err != nil {
		t.Fatal(err)
	}
	defer pidfd.Close()
	process, err := held.Resume()
	if err != nil {
		t.Fatal(err)
	}
	if process.Pid != held.Pid() {
		t.Errorf("pid %d became %d", held.Pid(), process.Pid)
	}
	if state, err := process.Wait(); err != nil || state.ExitCode() != 4 {
		t.Error(err, state)
	}
}

func TestHeldProcessIsEndedOnce(t *testing.T) {
	held, err := runner.New("/bin/true").Hold()
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	ends := make(chan error, 8)
	for i := 0; i < 8; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			if i%2 == 0 {
				ends <- held.Abort()
				return
			}
			process, err := held.Resume()
			if err == nil {
				process.Wait()
			}
			ends <- err
		}(i)
	}
	group.Wait()
	close(ends)
	succeeded := 0
	for err := range ends {
		if err == nil {
			succeeded++
		} else if !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	}
	if succeeded != 1 {
		t.Errorf("%d of 8 ended it", succeeded)
	}
	if _, err := held.PidFD(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("PidFD afterwards: %v", err)
	}
	if !gone(held.Pid()) {
		t.Error("it is still there")
	}
}

func TestHeldProcessThatWasKilled(t *testing.T) {
	held, err := runner.New("/bin/true").Hold()
	if err != nil {
		t.Fatal(err)
	}
	syscall.Kill(held.Pid(), syscall.SIGKILL)
	_, err = held.Resume()
	var failure *runner.Error
	if !errors.As(err, &failure) || failure.Stage != runner.StageSync {
		t.Errorf("%v", err)
	}
}

// os/exec forks while the library starts programs; neither may see the other's children or files.
func TestBesideOsExec(t *testing.T) {
	var group sync.WaitGroup
	for i := 0; i < 20; i++ {
		group.Add(2)
		go func() {
			defer group.Done()
			if output, err := exec.Command("/bin/echo", "x").Output(); err != nil || string(output) != "x\n" {
				t.Errorf("os/exec: %v, %q", err, output)
			}
		}()
		go func() {
			defer group.Done()
			cmd := runner.New("/bin/echo", "y")
			cmd.Capture = map[int]int64{1: 10}
			if result, err := cmd.Run(background); err != nil || string(result.Output[1]) != "y\n" {
				t.Errorf("runner: %v, %+v", err, result)
			}
		}()
	}
	group.Wait()
}

func TestZeroValues(t *testing.T) {
	var process runner.Process
	_, wait := process.Wait()
	_, usage := process.Usage()
	_, output := process.Output(1)
	var held runner.Held
	_, resume := held.Resume()
	_, pidfd := held.PidFD()
	for name, err := range map[string]error{"Wait": wait, "Usage": usage, "Output": output, "Kill": process.Kill(),
		"Close": process.Close(), "Resume": resume, "PidFD": pidfd, "Abort": held.Abort()} {
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	expectStage(t, new(runner.Cmd), runner.StageOptions)
}
