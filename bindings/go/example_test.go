package runner_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"librunner/runner"
)

func ExampleCmd_Run() {
	cmd := runner.New("/bin/sh", "-c", "tr a-z A-Z; exit 3")
	cmd.Stdin = strings.NewReader("hello")
	cmd.Capture = map[int]int64{1: 1 << 20}
	cmd.CPULimit, cmd.WallLimit, cmd.MemoryLimit = time.Second, 3*time.Second, 64<<20
	result, err := cmd.Run(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%v by %v, code %d: %s\n", result.Verdict, result.Evidence, result.ExitCode, result.Output[1])
	// Output: finished by exit code, code 3: HELLO
}

func ExampleCmd_Start() {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	cmd := runner.New("/bin/sleep", "1000")
	process, err := cmd.Start(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := process.Wait()
	fmt.Println(result.Verdict, errors.Is(err, context.DeadlineExceeded))
	// Output: killed true
}

func ExampleCmd_Hold() {
	held, err := runner.New("/bin/sh", "-c", "exit 4").Hold()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer held.Abort() // does nothing after Resume
	limits, _ := os.ReadFile(fmt.Sprintf("/proc/%d/limits", held.Pid()))
	fmt.Println(len(limits) > 0)
	process, err := held.Resume()
	if err != nil {
		fmt.Println(err)
		return
	}
	state, _ := process.Wait()
	fmt.Println(state)
	// Output:
	// true
	// exit status 4
}

func ExampleError() {
	_, err := runner.New("/no/such/program").Run(context.Background())
	var failure *runner.Error
	if errors.As(err, &failure) {
		fmt.Println(failure.Stage, failure.Index, failure.Errno == 2, errors.Is(err, fs.ErrNotExist))
	}
	// Output: exec -1 true true
}
