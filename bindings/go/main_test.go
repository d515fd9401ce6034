package runner_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"librunner/runner"
)

// Overridable, for a compiled test that runs elsewhere.
var casesFile = from("RUNNER_CASES", "../cases.json")
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
	for deadline := time.Now().Add(10 * time.Second); after != before && time.Now().Before(deadline); after = footprint() {
		time.Sleep(20 * time.Millisecond)
	}
	if code == 0 && after != before {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		fmt.Printf("FAIL: left behind: %+v, before the tests %+v\n%s\n%s\n", after, before, fdList(), stacks)
		code = 1
	}
	os.Exit(code)
}

// footprint is what must be the same after all tests.
type counts struct{ fds, goroutines, children int }

func footprint() counts {
	runtime.GC()
	return counts{len(fdList()), runtime.NumGoroutine(), len(children())}
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
