package runner_test

import (
	"bytes"
	"errors"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"librunner/runner"
)

func expectOptionError(t *testing.T, cmd *runner.Cmd, option string) {
	t.Helper()
	result, err := cmd.Run(background)
	if result != nil {
		t.Errorf("%s: there is a result: %+v", option, result)
	}
	checkOptionError(t, err, option)
}

func checkOptionError(t *testing.T, err error, option string) {
	t.Helper()
	var wrong *runner.OptionError
	if !errors.As(err, &wrong) || wrong.Option != option {
		t.Errorf("expected an error of option %s: %v", option, err)
	}
}

// Every string and list of strings, whatever fields there are.
func TestNULInEveryString(t *testing.T) {
	fields := reflect.TypeOf(runner.Cmd{})
	tried := 0
	for i := 0; i < fields.NumField(); i++ {
		cmd := runner.New("/bin/true")
		value := reflect.ValueOf(cmd).Elem().Field(i)
		option := fields.Field(i).Name
		switch value.Interface().(type) {
		case string:
			value.SetString("a\x00b")
		case []string:
			value.Set(reflect.ValueOf([]string{"a", "a\x00b"}))
			option += "[1]"
		default:
			continue
		}
		tried++
		expectOptionError(t, cmd, option)
	}
	if tried < 8 {
		t.Errorf("only %d fields", tried)
	}
}

func TestNULInThePieces(t *testing.T) {
	for _, piece := range []runner.Piece{
		runner.Bind{Source: "a\x00b", Target: "x"}, runner.Bind{Source: "/", Target: "a\x00b"},
		runner.Tmpfs{Target: "a\x00b"}, runner.Proc{Target: "a\x00b"}, runner.Dev{Target: "a\x00b"},
		runner.Dir{Path: "a\x00b"}, runner.Symlink{To: "a\x00b", Path: "x"}, runner.Symlink{To: "x", Path: "a\x00b"},
		runner.File{Path: "a\x00b"}, runner.Mount{Source: "a\x00b", Target: "x", Type: "tmpfs"},
		runner.Mount{Target: "a\x00b", Type: "tmpfs"}, runner.Mount{Target: "x", Type: "a\x00b"},
		runner.Mount{Target: "x", Type: "tmpfs", Data: "a\x00b"},
	} {
		cmd := runner.New("/bin/true")
		cmd.Root = []runner.Piece{runner.Dir{Path: "first", Mode: 0o755}, piece}
		expectOptionError(t, cmd, "Root[1]")
	}
}

func TestValuesThatNoStartCouldUse(t *testing.T) {
	closed, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	huge := make([]*os.File, 1<<20+1)
	type cmd = runner.Cmd
	type set = func(*cmd)
	root := func(piece runner.Piece) set { return func(c *cmd) { c.Root = []runner.Piece{piece} } }
	credential := func(id runner.Credential) set { return func(c *cmd) { c.Credential = &id } }
	const noID = ^uint32(0)
	for name, wrong := range map[string]struct {
		option string
		set    set
	}{
		"negative wall limit":    {"WallLimit", func(c *cmd) { c.WallLimit = -1 }},
		"negative CPU limit":     {"CPULimit", func(c *cmd) { c.CPULimit = -time.Second }},
		"negative memory limit":  {"MemoryLimit", func(c *cmd) { c.MemoryLimit = -1 }},
		"negative process limit": {"ProcessLimit", func(c *cmd) { c.ProcessLimit = -1 }},
		"negative output limit":  {"OutputLimit", func(c *cmd) { c.OutputLimit = -1 }},
		"negative quota":         {"CPUQuota", func(c *cmd) { c.CPUQuota = -50 }},
		"quota beyond 32 bits":   {"CPUQuota", func(c *cmd) { c.CPUQuota = 1<<32 + 50 }},
		"negative wait delay":    {"WaitDelay", func(c *cmd) { c.WaitDelay = -1 }},
		"negative umask":         {"Umask", func(c *cmd) { c.Umask = runner.Ptr(-1) }},
		"umask of all bits":      {"Umask", func(c *cmd) { c.Umask = runner.Ptr(0o7777) }},
		"nice":                   {"Nice", func(c *cmd) { c.Nice = runner.Ptr(-21) }},
		"nice beyond 32 bits":    {"Nice", func(c *cmd) { c.Nice = runner.Ptr(1<<32 + 5) }},
		"OOM score":              {"OOMScoreAdj", func(c *cmd) { c.OOMScoreAdj = runner.Ptr(1001) }},
		"personality":            {"Personality", func(c *cmd) { c.Personality = runner.Ptr(uint64(1 << 40)) }},
		"scheduler":              {"Scheduler", func(c *cmd) { c.Scheduler = &runner.Scheduler{Policy: 99} }},
		"scheduler beyond":       {"Scheduler", func(c *cmd) { c.Scheduler = &runner.Scheduler{Policy: 1 << 32} }},
		"no CPUs":                {"CPUAffinity", func(c *cmd) { c.CPUAffinity = []int{} }},
		"negative CPU":           {"CPUAffinity[1]", func(c *cmd) { c.CPUAffinity = []int{0, -1} }},
		"CPU that cannot be":     {"CPUAffinity", func(c *cmd) { c.CPUAffinity = []int{100000} }},
		"death signal":           {"DeathSignal", func(c *cmd) { c.DeathSignal = 65 }},
		"negative death signal":  {"DeathSignal", func(c *cmd) { c.DeathSignal = -9 }},
		"session":                {"Session", func(c *cmd) { c.Session = 7 }},
		"namespace":              {"Unshare", func(c *cmd) { c.Unshare = 1 }},
		"resource":               {"Rlimits[0]", func(c *cmd) { c.Rlimits = []runner.Rlimit{{Resource: -1}} }},
		"empty mapping":          {"UIDMappings[0]", func(c *cmd) { c.UIDMappings = []runner.IDMapping{{}} }},
		"group mapping": {"GIDMappings[0]", func(c *cmd) {
			c.GIDMappings = []runner.IDMapping{{Count: 1 << 31, Inside: 1 << 31}}
		}},
		"id of -1":              {"Credential", credential(runner.Credential{UID: noID})},
		"group of -1":           {"Credential", credential(runner.Credential{Groups: []uint32{noID}})},
		"too many groups":       {"Credential", credential(runner.Credential{Groups: make([]uint32, 65537)})},
		"empty filter":          {"Seccomp", func(c *cmd) { c.Seccomp = []syscall.SockFilter{} }},
		"long filter":           {"Seccomp", func(c *cmd) { c.Seccomp = make([]syscall.SockFilter, 4097) }},
		"filter beyond 16 bits": {"Seccomp", func(c *cmd) { c.Seccomp = make([]syscall.SockFilter, 1<<16+1) }},
		"long hostname":         {"Hostname", func(c *cmd) { c.Hostname = strings.Repeat("a", 65) }},
		"long path":             {"Dir", func(c *cmd) { c.Dir = strings.Repeat("a", 5000) }},
		"empty cgroup":          {"CgroupPaths[0]", func(c *cmd) { c.CgroupPaths = []string{""} }},
		"empty cgroup root":     {"CgroupRoots[0]", func(c *cmd) { c.CgroupRoots = []string{""} }},
		"piece that is nil":     {"Root[0]", root(nil)},
		"way out of the root":   {"Root[0]", root(runner.Dir{Path: "../x"})},
		"negative tmpfs":        {"Root[0]", root(runner.Tmpfs{Target: "x", Size: -1})},
		"mode":                  {"Root[0]", root(runner.Dir{Path: "x", Mode: 1 << 20})},
		"bind flags":            {"Root[0]", root(runner.Bind{Source: "/", Target: "x", Flags: 1 << 20})},
		"capture of fd -1":      {"Capture[-1]", func(c *cmd) { c.Capture = map[int]int64{-1: 10} }},
		"capture of a huge fd":  {"Capture[1099511627776]", func(c *cmd) { c.Capture = map[int]int64{1 << 40: 10} }},
		"negative capture":      {"Capture[1]", func(c *cmd) { c.Capture = map[int]int64{1: -1} }},
		"negative head":         {"Capture[1]", func(c *cmd) { c.CaptureHead = map[int]int64{1: -1} }},
		"captured twice": {"Capture[1]", func(c *cmd) {
			c.Capture, c.CaptureHead = map[int]int64{1: 1}, map[int]int64{1: 1}
		}},
		"captured and a file": {"Capture[1]", func(c *cmd) {
			c.Capture, c.Stdout = map[int]int64{1: 1}, os.Stderr
		}},
		"captured and a writer": {"Capture[2]", func(c *cmd) {
			c.Capture, c.Stderr = map[int]int64{2: 1}, new(bytes.Buffer)
		}},
		"captured and limited": {"Capture[2]", func(c *cmd) {
			c.Capture, c.Stderr, c.OutputLimit = map[int]int64{2: 1}, new(bytes.Buffer), 10
		}},
		"captured and extra": {"Capture[3]", func(c *cmd) {
			c.Capture, c.ExtraFiles = map[int]int64{3: 1}, []*os.File{os.Stderr}
		}},
		"closed stdin":       {"Stdin", func(c *cmd) { c.Stdin = closed }},
		"closed stdout":      {"Stdout", func(c *cmd) { c.Stdout = closed }},
		"closed extra file":  {"ExtraFiles[1]", func(c *cmd) { c.ExtraFiles = []*os.File{nil, closed} }},
		"closed program":     {"ExecFile", func(c *cmd) { c.ExecFile = closed }},
		"closed cgroup":      {"CgroupDir", func(c *cmd) { c.CgroupDir = closed }},
		"nil file as stdin":  {"Stdin", func(c *cmd) { c.Stdin = (*os.File)(nil) }},
		"nil file as stdout": {"Stdout", func(c *cmd) { c.Stdout = (*os.File)(nil) }},
		"nil reader":         {"Stdin", func(c *cmd) { c.Stdin = (*strings.Reader)(nil) }},
		"nil writer":         {"Stderr", func(c *cmd) { c.Stderr = (*bytes.Buffer)(nil) }},
		"a million files":    {"Files", func(c *cmd) { c.Files = huge }},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := runner.New("/bin/true")
			wrong.set(cmd)
			expectOptionError(t, cmd, wrong.option)
			if _, err := cmd.Explain(); err == nil {
				t.Error("it can be explained")
			}
		})
	}
}

func TestErrorsOfOptionsAreFoundByTheirCause(t *testing.T) {
	closed, _ := os.Open("/dev/null")
	closed.Close()
	cmd := runner.New("/bin/true")
	cmd.Stdin = closed
	if _, err := cmd.Run(background); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	cmd = runner.New("/bin/true")
	cmd.Nice = runner.Ptr(100)
	if _, err := cmd.Run(background); !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), "Nice") {
		t.Error(err)
	}
}

func TestErrorsOfLaunchesAreFoundByTheirErrno(t *testing.T) {
	_, err := runner.New("/nonexistent").Run(background)
	if !errors.Is(err, syscall.ENOENT) || !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if want := `runner: exec: `; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%q does not begin with %q", err, want)
	}
	cmd := runner.New("/bin/true")
	cmd.Rlimits = []runner.Rlimit{{Resource: runner.RlimitCore},
		{Resource: runner.RlimitNofile, Soft: 1, Hard: 1 << 40}}
	_, err = cmd.Run(background)
	if err == nil || !strings.HasPrefix(err.Error(), "runner: rlimit[1]: ") {
		t.Errorf("%v", err)
	}
}

func TestNilContext(t *testing.T) {
	if _, err := runner.New("/bin/true").Run(nil); err == nil { //nolint:staticcheck // that is the test
		t.Error("a nil context starts something")
	}
}

func TestHugeLists(t *testing.T) {
	cmd := runner.New("/bin/true")
	cmd.Args = append(cmd.Args, make([]string, 1<<20)...)
	_, err := cmd.Run(background)
	if !errors.Is(err, syscall.E2BIG) {
		t.Errorf("a million arguments: %v", err)
	}
	cmd = runner.New("/bin/true", strings.Repeat("x", 10<<20))
	if _, err := cmd.Run(background); !errors.Is(err, syscall.E2BIG) {
		t.Errorf("an argument of 10 MiB: %v", err)
	}
	cmd = runner.New("/bin/true")
	cmd.Unshare = runner.NewUser
	cmd.UIDMappings = make([]runner.IDMapping, 341)
	for i := range cmd.UIDMappings {
		cmd.UIDMappings[i] = runner.IDMapping{Inside: uint32(i), Outside: uint32(i), Count: 1}
	}
	expectOptionError(t, cmd, "UIDMappings[340]")
}

// More than the host may open: no start, and the host lives.
func TestNoFreeFds(t *testing.T) {
	if output, err := role("no fds").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, output)
	}
}

func init() {
	roles["no fds"] = func() {
		complain := func(err error) {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		// What is made once.
		runner.New("/bin/true").Run(background)
		in, _, err := os.Pipe()
		if err != nil {
			complain(err)
		}
		open := len(fdList())
		for free := 0; free < 16; free++ {
			limit := syscall.Rlimit{Cur: uint64(open + free), Max: 1000}
			if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
				complain(err)
			}
			cmd := runner.New("/bin/true")
			cmd.Stdin, cmd.Stdout, cmd.Stderr = onlyReader{in}, new(bytes.Buffer), os.Stderr
			cmd.WaitDelay = time.Nanosecond
			_, err := cmd.Run(background)
			if free < 4 && !errors.Is(err, syscall.EMFILE) {
				complain(errors.New("a start with " + itoa(free) + " free fds"))
			}
			in.Close()
			in, _, _ = os.Pipe()
		}
		// A sanitizer, if there is one, has something to open when this ends.
		syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 1000, Max: 1000})
	}
}
