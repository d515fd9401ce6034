package runner_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"librunner/runner"
)

// The cases that all languages share: ../README.md says what the words mean. A word that is not known here is a failed
// test.

type object = map[string]any

type testCase struct {
	Name    string
	How     string
	Needs   []string
	Options object
	Expect  object
}

func TestSharedCases(t *testing.T) {
	file, err := os.Open(casesFile)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var table struct {
		About string
		Cases []testCase
	}
	decoder := json.NewDecoder(file)
	decoder.DisallowUnknownFields()
	decoder.UseNumber()
	if err := decoder.Decode(&table); err != nil {
		t.Fatal(err)
	}
	if len(table.Cases) < 50 {
		t.Fatalf("only %d cases", len(table.Cases))
	}
	for _, c := range table.Cases {
		c := c
		t.Run(c.Name, func(t *testing.T) {
			for _, need := range c.Needs {
				skipWithout(t, need)
			}
			c.run(t)
		})
	}
}

func skipWithout(t *testing.T, need string) {
	machine, err := runner.Probe()
	if err != nil {
		t.Fatal(err)
	}
	has, known := map[string]bool{
		"root":           os.Geteuid() == 0,
		"user_namespace": machine.UserNamespace,
		"memory_cgroup":  machine.RunsMiss&runner.MissingMemory == 0,
		"pids_cgroup":    machine.RunsMiss&runner.MissingProcesses == 0,
		"cpu_cgroup":     machine.RunsMiss&runner.MissingCPU == 0,
	}[need]
	switch {
	case !known:
		t.Fatalf("an unknown need: %s", need)
	case !has:
		t.Skipf("this machine has no %s: %s", need, machine.Blocker)
	}
}

// outcome is whatever the ways to run a case end in.
type outcome struct {
	result *runner.Result
	status syscall.WaitStatus
	text   string
	gone   bool
	err    error
}

var ways = map[string]func(*runner.Cmd) outcome{
	"": func(cmd *runner.Cmd) outcome {
		result, err := cmd.Run(context.Background())
		return outcome{result: result, err: err}
	},
	"kill": func(cmd *runner.Cmd) outcome {
		process, err := cmd.Start(context.Background())
		if err != nil {
			return outcome{err: err}
		}
		time.Sleep(50 * time.Millisecond)
		if err := process.Kill(); err != nil {
			return outcome{err: err}
		}
		result, err := process.Wait()
		return outcome{result: result, err: err}
	},
	"start": func(cmd *runner.Cmd) outcome {
		process, err := cmd.Launch()
		return waited(process, err)
	},
	"held": func(cmd *runner.Cmd) outcome {
		held, err := cmd.Hold()
		if err != nil {
			return outcome{err: err}
		}
		return waited(held.Resume())
	},
	"held_abort": func(cmd *runner.Cmd) outcome {
		held, err := cmd.Hold()
		if err != nil {
			return outcome{err: err}
		}
		if err := syscall.Kill(held.Pid(), 0); err != nil {
			return outcome{err: fmt.Errorf("it was not held: %w", err)}
		}
		err = held.Abort()
		return outcome{gone: syscall.Kill(held.Pid(), 0) == syscall.ESRCH, err: err}
	},
	"explain": func(cmd *runner.Cmd) outcome {
		text, err := cmd.Explain()
		return outcome{text: text, err: err}
	},
}

func waited(process *os.Process, err error) outcome {
	if err != nil {
		return outcome{err: err}
	}
	state, err := process.Wait()
	if err != nil {
		return outcome{err: err}
	}
	return outcome{status: state.Sys().(syscall.WaitStatus)}
}

func (c *testCase) run(t *testing.T) {
	way, known := ways[c.How]
	if !known {
		t.Fatalf("an unknown way: %s", c.How)
	}
	driver := &driver{T: t, cmd: &runner.Cmd{}, tmp: t.TempDir()}
	for word, value := range c.Options {
		driver.option(word, driver.replaced(value))
	}
	got := way(driver.cmd)
	if _, failure := c.Expect["error"]; !failure && c.Expect["invalid"] == nil && got.err != nil {
		t.Fatal(got.err)
	}
	for word, want := range c.Expect {
		driver.expect(word, want, got)
	}
}

type driver struct {
	*testing.T
	cmd *runner.Cmd
	tmp string
}

// replaced puts the scratch directory into every string.
func (d *driver) replaced(value any) any {
	switch value := value.(type) {
	case string:
		return strings.ReplaceAll(value, "{tmp}", d.tmp)
	case []any:
		for i := range value {
			value[i] = d.replaced(value[i])
		}
	case object:
		for key := range value {
			value[key] = d.replaced(value[key])
		}
	}
	return value
}

func (d *driver) option(word string, value any) {
	cmd := d.cmd
	switch word {
	case "args":
		cmd.Args = texts(value)
	case "env":
		cmd.Env = texts(value)
	case "workdir":
		cmd.Dir = value.(string)
	case "stdin":
		cmd.Stdin = strings.NewReader(value.(string))
	case "capture":
		cmd.Capture = fds(d, value)
	case "capture_head":
		cmd.CaptureHead = fds(d, value)
	case "wall_limit":
		cmd.WallLimit = time.Duration(d.limit(value))
	case "cpu_limit":
		cmd.CPULimit = time.Duration(d.limit(value))
	case "memory_limit":
		cmd.MemoryLimit = d.limit(value)
	case "process_limit":
		cmd.ProcessLimit = d.limit(value)
	case "output_limit":
		cmd.OutputLimit = d.limit(value)
	case "cpu_quota":
		cmd.CPUQuota = int(d.limit(value))
	case "cgroup_root":
		cmd.CgroupRoots = []string{value.(string)}
	case "unshare":
		for _, name := range texts(value) {
			cmd.Unshare |= named(d, namespaces, name)
		}
	case "uid_mappings":
		cmd.UIDMappings = mappings(value, os.Geteuid())
	case "gid_mappings":
		cmd.GIDMappings = mappings(value, os.Getegid())
	case "credential":
		id := value.(object)
		cmd.Credential = &runner.Credential{UID: uint32(number(id["uid"])), GID: uint32(number(id["gid"]))}
		for _, group := range id["groups"].([]any) {
			cmd.Credential.Groups = append(cmd.Credential.Groups, uint32(number(group)))
		}
	case "hostname":
		cmd.Hostname = value.(string)
	case "domainname":
		cmd.Domainname = value.(string)
	case "pivot_root":
		cmd.PivotRoot = value.(string)
	case "root":
		for _, piece := range value.([]any) {
			cmd.Root = append(cmd.Root, d.piece(piece.(object)))
		}
	case "rlimits":
		for _, row := range value.([]any) {
			row := row.([]any)
			cmd.Rlimits = append(cmd.Rlimits, runner.Rlimit{Resource: named(d, resources, row[0].(string)),
				Soft: uint64(number(row[1])), Hard: uint64(number(row[2]))})
		}
	case "umask":
		cmd.Umask = runner.Ptr(int(number(value)))
	case "nice":
		cmd.Nice = runner.Ptr(int(number(value)))
	case "new_session_keyring":
		cmd.NewSessionKeyring = value.(bool)
	case "no_new_privs":
		cmd.NoNewPrivs = value.(bool)
	case "drop_caps":
		cmd.DropCaps = value.(bool)
	case "seccomp":
		for _, row := range value.([]any) {
			row := row.([]any)
			cmd.Seccomp = append(cmd.Seccomp, syscall.SockFilter{Code: uint16(number(row[0])),
				Jt: uint8(number(row[1])), Jf: uint8(number(row[2])), K: uint32(number(row[3]))})
		}
	case "exec_file":
		file, err := os.Open(value.(string))
		if err != nil {
			d.Fatal(err)
		}
		d.Cleanup(func() { file.Close() })
		cmd.ExecFile = file
	default:
		d.Fatalf("an unknown option: %s", word)
	}
}

// limit: in Go a limit of 0 is the zero value, which is no limit at all, so nobody can ask for what such a case tests.
func (d *driver) limit(value any) int64 {
	n := number(value)
	if n == 0 {
		d.Skip("a limit of 0 cannot be said in Go: the zero value is no limit")
	}
	return n
}

func (d *driver) piece(piece object) runner.Piece {
	for kind, value := range piece {
		p := value.(object)
		text := func(word string) string { s, _ := p[word].(string); return s }
		mode := func() uint32 { return uint32(number(p["mode"])) }
		switch kind {
		case "bind":
			return runner.Bind{Source: text("source"), Target: text("target"), Flags: flags(d, bindFlags, p)}
		case "tmpfs":
			return runner.Tmpfs{Target: text("target"), Size: number(p["size"]), Mode: mode()}
		case "proc":
			return runner.Proc{Target: text("target"), Flags: flags(d, procFlags, p)}
		case "dev":
			return runner.Dev{Target: text("target")}
		case "dir":
			return runner.Dir{Path: text("path"), Mode: mode()}
		case "symlink":
			return runner.Symlink{To: text("to"), Path: text("path")}
		case "file":
			return runner.File{Path: text("path"), Contents: []byte(text("contents")), Mode: mode()}
		}
	}
	d.Fatalf("an unknown piece of the root: %v", piece)
	return nil
}

var namespaces = map[string]runner.Namespaces{"user": runner.NewUser, "mount": runner.NewMount, "pid": runner.NewPID,
	"net": runner.NewNet, "ipc": runner.NewIPC, "uts": runner.NewUTS, "cgroup": runner.NewCgroup,
	"time": runner.NewTime}

var resources = map[string]runner.Resource{"core": runner.RlimitCore, "cpu": runner.RlimitCPU,
	"fsize": runner.RlimitFsize, "nofile": runner.RlimitNofile, "nproc": runner.RlimitNproc, "as": runner.RlimitAS,
	"data": runner.RlimitData, "stack": runner.RlimitStack}

var bindFlags = map[string]runner.BindFlags{"ro": runner.BindRO, "rec": runner.BindRec, "optional": runner.BindOptional,
	"noexec": runner.BindNoExec, "dev": runner.BindDev, "suid": runner.BindSUID}

var procFlags = map[string]runner.ProcFlags{"subset": runner.ProcSubset, "hidepid": runner.ProcHidePID,
	"mask": runner.ProcMask, "ro": runner.ProcRO}

func named[T any](d *driver, table map[string]T, name string) T {
	value, known := table[name]
	if !known {
		d.Fatalf("an unknown word: %s", name)
	}
	return value
}

func flags[T ~uint32](d *driver, table map[string]T, piece object) (all T) {
	for _, name := range texts(piece["flags"]) {
		all |= named(d, table, name)
	}
	return all
}

func number(value any) int64 {
	n, err := strconv.ParseInt(string(value.(json.Number)), 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func texts(value any) (list []string) {
	for _, item := range value.([]any) {
		list = append(list, item.(string))
	}
	return list
}

func fds(d *driver, value any) map[int]int64 {
	table := make(map[int]int64)
	for key, most := range value.(object) {
		fd, err := strconv.Atoi(key)
		if err != nil {
			d.Fatal(err)
		}
		table[fd] = number(most)
	}
	return table
}

func mappings(value any, self int) (list []runner.IDMapping) {
	for _, row := range value.([]any) {
		row := row.([]any)
		outside := int64(self)
		if row[1] != "self" {
			outside = number(row[1])
		}
		list = append(list, runner.IDMapping{Inside: uint32(number(row[0])), Outside: uint32(outside),
			Count: uint32(number(row[2]))})
	}
	return list
}

func (d *driver) expect(word string, want any, got outcome) {
	same := func(got any) {
		d.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			d.Errorf("%s: %v, expected %v", word, got, want)
		}
	}
	r := got.result
	switch word {
	case "verdict":
		same(r.Verdict)
	case "evidence":
		same(r.Evidence)
	case "exit_code":
		if r != nil {
			same(r.ExitCode)
		} else {
			same(got.status.ExitStatus())
		}
	case "signal":
		if r != nil {
			same(int(r.Signal))
		} else {
			same(int(got.status.Signal()))
		}
	case "output_cut":
		same(r.OutputCut)
	case "output", "output_base64", "output_length":
		for fd, want := range want.(object) {
			d.expectOutput(word, fd, want, r)
		}
	case "at_least", "at_most":
		for figure, bound := range want.(object) {
			d.expectBound(word, figure, number(bound), r)
		}
	case "gone":
		same(got.gone)
	case "text_contains":
		if !strings.Contains(got.text, want.(string)) {
			d.Errorf("%q is not in %s", want, got.text)
		}
	case "invalid":
		var option *runner.OptionError
		if !errors.As(got.err, &option) {
			d.Errorf("no error of an option: %v", got.err)
		}
	case "error":
		d.expectError(want.(object), got.err)
	default:
		d.Fatalf("an unknown expectation: %s", word)
	}
}

func (d *driver) expectOutput(word, key string, want any, r *runner.Result) {
	fd, _ := strconv.Atoi(key)
	output, captured := r.Output[fd]
	got := map[string]any{"output": string(output), "output_length": len(output),
		"output_base64": base64.StdEncoding.EncodeToString(output)}[word]
	if !captured || fmt.Sprint(got) != fmt.Sprint(want) {
		d.Errorf("%s of fd %d: %q, expected %q", word, fd, got, want)
	}
}

func (d *driver) expectBound(word, figure string, bound int64, r *runner.Result) {
	got, known := map[string]int64{"wall_ns": int64(r.Wall), "cpu_ns": int64(r.CPU), "user_ns": int64(r.User),
		"system_ns": int64(r.System), "setup_ns": int64(r.Setup), "memory_peak": r.MemoryPeak,
		"processes_peak": r.ProcessesPeak, "process_limit_hits": r.ProcessLimitHits, "oom_kills": int64(r.OOMKills),
		"output_bytes": r.OutputBytes}[figure]
	if !known {
		d.Fatalf("an unknown figure: %s", figure)
	}
	if word == "at_least" && got < bound || word == "at_most" && got > bound {
		d.Errorf("%s is %d, expected %s %d", figure, got, word, bound)
	}
}

var errnos = map[string]syscall.Errno{"ENOENT": syscall.ENOENT, "EACCES": syscall.EACCES, "EINVAL": syscall.EINVAL,
	"EPERM": syscall.EPERM, "EAGAIN": syscall.EAGAIN, "E2BIG": syscall.E2BIG, "ENOTDIR": syscall.ENOTDIR,
	"ENOEXEC": syscall.ENOEXEC, "ELOOP": syscall.ELOOP, "EEXIST": syscall.EEXIST, "EISDIR": syscall.EISDIR}

func (d *driver) expectError(want object, err error) {
	var failure *runner.Error
	if !errors.As(err, &failure) {
		d.Fatalf("no error of a launch: %v", err)
	}
	for word, value := range want {
		switch word {
		case "stage", "index":
			got := map[string]any{"stage": failure.Stage, "index": failure.Index}[word]
			if fmt.Sprint(got) != fmt.Sprint(value) {
				d.Errorf("%s %v, expected %v: %v", word, got, value, err)
			}
		case "errno":
			if errno := named(d, errnos, value.(string)); failure.Errno != errno || !errors.Is(err, errno) {
				d.Errorf("%v, expected %v: %v", failure.Errno, value, err)
			}
		case "message_contains":
			if !strings.Contains(failure.Message, value.(string)) {
				d.Errorf("%q is not in %q", value, failure.Message)
			}
		default:
			d.Fatalf("an unknown expectation of an error: %s", word)
		}
	}
}
