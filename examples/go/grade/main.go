// Grade judges a program: grade PROGRAM INPUT EXPECTED
//
// The program gets the file INPUT as its stdin, and sees a root with the system's programs in it and nothing else of
// the machine. What it prints is compared with the file EXPECTED, white space at the end aside. Grade exits with 0
// where it is accepted.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"librunner/runner"
)

const (
	mib    = 1 << 20
	nobody = 65534
)

// sandbox is a command that runs the program as nobody: root's nobody is the machine's, an ordinary user's is himself.
func sandbox(program, root string) *runner.Cmd {
	cmd := runner.New("/program")
	cmd.Unshare = runner.NewUser | runner.NewPID | runner.NewMount | runner.NewNet | runner.NewIPC | runner.NewUTS
	uid, gid := os.Geteuid(), os.Getegid()
	if uid == 0 {
		uid, gid = nobody, nobody
		cmd.Credential = &runner.Credential{UID: nobody, GID: nobody}
	}
	cmd.UIDMappings = []runner.IDMapping{{Inside: nobody, Outside: uint32(uid), Count: 1}}
	cmd.GIDMappings = []runner.IDMapping{{Inside: nobody, Outside: uint32(gid), Count: 1}}

	const system = runner.BindRO | runner.BindRec
	cmd.PivotRoot = root
	cmd.Root = []runner.Piece{
		runner.Bind{Source: "/bin", Target: "bin", Flags: system},
		runner.Bind{Source: "/usr", Target: "usr", Flags: system},
		runner.Bind{Source: "/lib", Target: "lib", Flags: system},
		runner.Bind{Source: "/lib64", Target: "lib64", Flags: system | runner.BindOptional},
		runner.Bind{Source: program, Target: "program", Flags: runner.BindRO},
		runner.Tmpfs{Target: "tmp", Size: 16 * mib, Mode: 0o1777},
		runner.Proc{Target: "proc", Flags: runner.ProcMask},
		runner.Dev{Target: "dev"},
	}
	cmd.DropCaps, cmd.NoNewPrivs = true, true

	cmd.CPULimit, cmd.WallLimit = time.Second, 3*time.Second
	cmd.MemoryLimit, cmd.ProcessLimit, cmd.OutputLimit = 64*mib, 16, mib
	return cmd
}

func grade(ctx context.Context, program, input, expected string) (accepted bool, err error) {
	want, err := os.ReadFile(expected)
	if err != nil {
		return false, err
	}
	stdin, err := os.Open(input)
	if err != nil {
		return false, err
	}
	defer stdin.Close()
	root, err := os.MkdirTemp("", "grade")
	if err != nil {
		return false, err
	}
	defer os.Remove(root)

	var stdout bytes.Buffer
	cmd := sandbox(program, root)
	cmd.Stdin, cmd.Stdout = stdin, &stdout
	result, err := cmd.Run(ctx)
	if err != nil {
		return false, err
	}
	said := fmt.Sprintf("%v by %v", result.Verdict, result.Evidence)
	if result.Verdict == runner.VerdictFinished && result.ExitCode == 0 {
		said, accepted = "wrong_answer", bytes.Equal(trimmed(stdout.Bytes()), trimmed(want))
		if accepted {
			said = "accepted"
		}
	}
	fmt.Printf("%s; %.1f ms CPU, %.1f MiB\n", said, result.CPU.Seconds()*1e3, float64(result.MemoryPeak)/mib)
	return accepted, nil
}

func trimmed(text []byte) []byte { return bytes.TrimRight(text, " \t\r\n") }

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: grade PROGRAM INPUT EXPECTED")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	program, err := filepath.Abs(os.Args[1])
	accepted := false
	if err == nil {
		accepted, err = grade(ctx, program, os.Args[2], os.Args[3])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "grade:", err)
	}
	if !accepted {
		os.Exit(1)
	}
}
