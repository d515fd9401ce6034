package runner_test

import (
	"bufio"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"librunner/runner"
)

// One thread a run would be a thousand.
func TestThousandRunsNeedFewThreads(t *testing.T) {
	const runs = 1000
	var limit syscall.Rlimit
	syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	if limit.Cur < runs*6 {
		t.Skipf("only %d open files are allowed", limit.Cur)
	}
	most := watchThreads(t)
	cmd := runner.New("/bin/sleep", "1000")
	// All are due at once, and each has looks of its own before.
	cmd.CPULimit, cmd.WallLimit = time.Minute, 30*time.Second
	processes := make([]*runner.Process, runs)
	var group sync.WaitGroup
	for i := range processes {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			processes[i] = start(t, cmd)
		}(i)
	}
	group.Wait()
	time.Sleep(time.Second)
	for _, process := range processes {
		group.Add(1)
		go func(process *runner.Process) {
			defer group.Done()
			process.Kill()
			if result, err := process.Wait(); err != nil || result.Verdict != runner.VerdictKilled {
				t.Errorf("%v, %+v", err, result)
			}
		}(process)
	}
	group.Wait()
	if got := most(); got >= 60 {
		t.Errorf("%d threads", got)
	} else {
		t.Logf("at most %d threads for %d runs", got, runs)
	}
}

func watchThreads(t *testing.T) (most func() int) {
	stop, result := make(chan struct{}), make(chan int)
	go func() {
		most := 0
		for {
			most = max(most, threads())
			select {
			case <-stop:
				result <- most
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	return func() int { close(stop); return <-result }
}

// Go ends the thread of a goroutine that exits while locked to it. Were it the one that started the program, the
// program would get its death signal.
func TestDeathSignalIsNotForTheEndOfAThread(t *testing.T) {
	cmd := runner.New("/bin/sleep", "1000")
	cmd.DeathSignal = syscall.SIGKILL
	started := make(chan *runner.Process)
	var tid int
	go func() {
		runtime.LockOSThread()
		tid = syscall.Gettid()
		started <- start(t, cmd)
	}()
	process := <-started
	for begin := time.Now(); threadLives(tid); time.Sleep(time.Millisecond) {
		if time.Since(begin) > 10*time.Second {
			t.Fatal("the thread does not end")
		}
	}
	time.Sleep(100 * time.Millisecond)
	if usage, err := process.Usage(); err != nil || usage.Verdict != runner.VerdictNone || gone(process.Pid()) {
		t.Errorf("it died with the thread: %v, %+v", err, usage)
	}
}

func threadLives(tid int) bool {
	_, err := os.Stat("/proc/self/task/" + itoa(tid))
	return err == nil
}

func TestDeathSignalIsForTheEndOfTheHost(t *testing.T) {
	host := role("host of a sleeper")
	output, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	pid, _ := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || pid == 0 || gone(pid) {
		t.Fatalf("%v, %q", err, line)
	}
	host.Process.Kill()
	host.Wait()
	for begin := time.Now(); !isDead(pid); time.Sleep(time.Millisecond) {
		if time.Since(begin) > 10*time.Second {
			syscall.Kill(pid, syscall.SIGKILL)
			t.Fatal("it outlives its host")
		}
	}
}

// isDead: a zombie is its new parent's business.
func isDead(pid int) bool {
	stat, err := os.ReadFile("/proc/" + itoa(pid) + "/stat")
	return err != nil || strings.Contains(string(stat), ") Z")
}

func init() {
	roles["host of a sleeper"] = func() {
		cmd := runner.New("/bin/sleep", "1000")
		cmd.DeathSignal = syscall.SIGKILL
		process, err := cmd.Start(background)
		if err != nil {
			os.Stdout.WriteString(err.Error() + "\n")
			return
		}
		os.Stdout.WriteString(itoa(process.Pid()) + "\n")
		time.Sleep(time.Minute)
	}
}

func TestDeathSignalOfAHeldAndOfALaunchedProcess(t *testing.T) {
	cmd := sh("exit 3")
	cmd.DeathSignal = syscall.SIGKILL
	held, err := cmd.Hold()
	if err != nil {
		t.Fatal(err)
	}
	for _, begin := range []func() (*os.Process, error){held.Resume, cmd.Launch} {
		process, err := begin()
		if err != nil {
			t.Fatal(err)
		}
		if state, err := process.Wait(); err != nil || state.ExitCode() != 3 {
			t.Error(err, state)
		}
	}
}

// The caller's thread is the tracer, with a death signal too.
func TestPtrace(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, death := range []syscall.Signal{0, syscall.SIGKILL} {
		cmd := sh("exit 5")
		cmd.Ptrace, cmd.DeathSignal = true, death
		process, err := cmd.Launch()
		if err != nil {
			t.Fatal(err)
		}
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(process.Pid, &status, 0, nil); err != nil || status.StopSignal() != syscall.SIGTRAP {
			t.Fatal(err, status)
		}
		if err := syscall.PtraceCont(process.Pid, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := syscall.Wait4(process.Pid, &status, 0, nil); err != nil || status.ExitStatus() != 5 {
			t.Error(err, status)
		}
		process.Release()
	}
}

func TestStopBeforeSeccomp(t *testing.T) {
	cmd := sh("exit 6")
	cmd.StopBeforeSeccomp = true
	process, err := cmd.Launch()
	if err != nil {
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(process.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatal(err, status)
	}
	process.Signal(syscall.SIGCONT)
	if state, err := process.Wait(); err != nil || state.ExitCode() != 6 {
		t.Error(err, state)
	}
}
