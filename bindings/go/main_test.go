package runner_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"librunner/runner"
)

// Overridable, for a compiled test that runs elsewhere.
var casesFile = from("RUNNER_CASES", "../cases.json")
var sourceDir = from("RUNNER_SOURCE", ".")
var headerFile = from("RUNNER_HEADER", "../../include/runner.h")

func from(variable, otherwise string) string {
	if value := os.Getenv(variable); value != "" {
		return value
	}
	return otherwise
}

var background = context.Background()

// Programs that the tests start themselves again, by the name in this variable.
const roleVariable = "RUNNER_TEST_ROLE"

var roles = map[string]func(){}

// role is this program in another one.
func role(name string) *exec.Cmd {
	own, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cmd := exec.Command(own)
	cmd.Env = append(os.Environ(), roleVariable+"="+name)
	return cmd
}

// The main thread is the one that Go cannot end, so the tests, which end threads, run on others.
func init() { runtime.LockOSThread() }

func TestMain(m *testing.M) {
	if role := roles[os.Getenv(roleVariable)]; role != nil {
		role()
		os.Exit(0)
	}
	// What the first use of each part makes once is no leak.
	runner.Probe()
	runner.New("/bin/true").Run(background)
	before := footprint()
	code := m.Run()
	after := footprint()
	for tries := 0; after != before && tries < 500; tries++ {
		time.Sleep(20 * time.Millisecond)
		after = footprint()
	}
	if code == 0 && after != before {
		fmt.Printf("FAIL: left behind: %+v, before the tests %+v\n%s\n%s\n", after, before, fdList(), stacks())
		code = 1
	}
	os.Exit(code)
}

// footprint is what must be the same after all tests.
type counts struct{ fds, goroutines, children int }

func footprint() counts {
	runtime.GC()
	all := stacks()
	// The threads for death signals last as long as the process; there are few.
	lasting := strings.Count(all, "created by librunner/runner.onLastingThread")
	return counts{len(fdList()), strings.Count("\n"+all, "\ngoroutine ") - lasting, len(children())}
}

func stacks() string {
	buffer := make([]byte, 1<<20)
	return string(buffer[:runtime.Stack(buffer, true)])
}

func children() (pids []string) {
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		pids = append(pids, strings.Fields(string(text))...)
	}
	return pids
}

func threads() int {
	entries, _ := os.ReadDir("/proc/self/task")
	return len(entries)
}

func fdList() (list []string) {
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, entry := range entries {
		target, err := os.Readlink(filepath.Join("/proc/self/fd", entry.Name()))
		// The directory itself is gone by now.
		if err == nil {
			list = append(list, entry.Name()+" "+target)
		}
	}
	return list
}
