package runner_test

import (
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"librunner/runner"
)

// Every field of Cmd reaches the library: the program of system calls has something that it had not. A field that is
// added has to be added here, or to those that others test.
var reaches = map[string]struct {
	set  func(*runner.Cmd)
	call string
}{
	"Args":       {func(c *runner.Cmd) { c.Args = []string{"/bin/ls", "-l"} }, `execve("/bin/ls", ["/bin/ls", "-l"]`},
	"Env":        {func(c *runner.Cmd) { c.Env = []string{"A=1"} }, `["A=1"]`},
	"Dir":        {func(c *runner.Cmd) { c.Dir = "/usr" }, `chdir("/usr")`},
	"ExecFile":   {func(c *runner.Cmd) { c.ExecFile = os.Stdin }, `AT_EMPTY_PATH`},
	"ExtraFiles": {func(c *runner.Cmd) { c.ExtraFiles = []*os.File{os.Stderr} }, `, 3, 0)`},
	"Files":      {func(c *runner.Cmd) { c.Files = []*os.File{os.Stderr} }, `close_range(1, ~0, 0)`},
	"AllowDirectoryFiles": {func(c *runner.Cmd) {
		c.AllowDirectoryFiles, c.Stdin = true, directory
	}, `, 0, 0)`},
	"MemoryLimit":  {func(c *runner.Cmd) { c.MemoryLimit = 1 << 26 }, memoryCall()},
	"ProcessLimit": {func(c *runner.Cmd) { c.ProcessLimit = 5 }, processCall()},
	"CPULimit":     {func(c *runner.Cmd) { c.CPULimit = 2500 * time.Millisecond }, `RLIMIT_CPU, {rlim_cur=4`},
	"OutputLimit":  {func(c *runner.Cmd) { c.OutputLimit = 77 }, `RLIMIT_FSIZE, {rlim_cur=77`},
	"WallLimit":    {func(c *runner.Cmd) { c.WallLimit = time.Second }, `CLOCK_MONOTONIC`},
	"Unshare":      {func(c *runner.Cmd) { c.Unshare = runner.NewUser | runner.NewIPC }, `CLONE_NEWIPC|CLONE_NEWUSER`},
	"UIDMappings": {func(c *runner.Cmd) {
		c.Unshare, c.UIDMappings = runner.NewUser, itself(5, os.Geteuid())
	}, `write($fd, "5 `},
	"GIDMappings": {func(c *runner.Cmd) {
		c.Unshare, c.GIDMappings = runner.NewUser, itself(6, os.Getegid())
	}, `write($fd, "6 `},
	"AllowSetgroups": {func(c *runner.Cmd) {
		c.Unshare, c.AllowSetgroups = runner.NewUser, runner.Ptr(true)
	}, `setgroups allow`},
	"Credential": {func(c *runner.Cmd) {
		c.Credential = &runner.Credential{UID: 3, GID: 4, Groups: []uint32{5}}
	}, `setgroups(1, [5])`},
	"Hostname":          {func(c *runner.Cmd) { c.Unshare, c.Hostname = runner.NewUTS, "box" }, `sethostname("box", 3)`},
	"Domainname":        {func(c *runner.Cmd) { c.Unshare, c.Domainname = runner.NewUTS, "dom" }, `setdomainname("dom", 3)`},
	"LoopbackUp":        {func(c *runner.Cmd) { c.Unshare, c.LoopbackUp = runner.NewNet, true }, `SIOCSIFFLAGS`},
	"NewSessionKeyring": {func(c *runner.Cmd) { c.NewSessionKeyring = true }, `KEYCTL_JOIN_SESSION_KEYRING`},
	"UnshareCgroupAfterHold": {func(c *runner.Cmd) {
		c.UnshareCgroupAfterHold = true
	}, `unshare(CLONE_NEWCGROUP)`},
	"PivotRoot":  {func(c *runner.Cmd) { c.Unshare, c.PivotRoot = runner.NewMount, "/tmp" }, `pivot_root(".", ".")`},
	"Root":       {func(c *runner.Cmd) { c.Unshare, c.Root = runner.NewMount, pieces }, `"size=1"`},
	"NoNewPrivs": {func(c *runner.Cmd) { c.NoNewPrivs = true }, `PR_SET_NO_NEW_PRIVS`},
	"DropCaps":   {func(c *runner.Cmd) { c.DropCaps = true }, `capset(`},
	"KeepCaps":   {func(c *runner.Cmd) { c.KeepCaps = 1 << 5 }, `effective=0x20`},
	"Seccomp":    {func(c *runner.Cmd) { c.Seccomp = []syscall.SockFilter{{Code: 6, K: 0x7fff0000}} }, `{len=1}`},
	"Ptrace":     {func(c *runner.Cmd) { c.Ptrace = true }, `PTRACE_TRACEME`},
	"StopBeforeSeccomp": {func(c *runner.Cmd) {
		c.StopBeforeSeccomp = true
	}, `SIGSTOP`},
	"Rlimits": {func(c *runner.Cmd) {
		c.Rlimits = []runner.Rlimit{{Resource: runner.RlimitCore, Soft: 1, Hard: 2}}
	}, `RLIMIT_CORE, {rlim_cur=1, rlim_max=2}`},
	"CTTY":        {func(c *runner.Cmd) { c.CTTY = true }, `TIOCSCTTY`},
	"Session":     {func(c *runner.Cmd) { c.Session = runner.SessionGroup }, `setpgid(0, 0)`},
	"DeathSignal": {func(c *runner.Cmd) { c.DeathSignal = syscall.SIGKILL }, `PR_SET_PDEATHSIG, 9`},
	"Umask":       {func(c *runner.Cmd) { c.Umask = runner.Ptr(0o21) }, `umask(021)`},
	"Nice":        {func(c *runner.Cmd) { c.Nice = runner.Ptr(7) }, `setpriority(PRIO_PROCESS, 0, 7)`},
	"OOMScoreAdj": {func(c *runner.Cmd) { c.OOMScoreAdj = runner.Ptr(77) }, `"77"`},
	"CPUAffinity": {func(c *runner.Cmd) { c.CPUAffinity = []int{0, 1} }, `0x3)`},
	"Personality": {func(c *runner.Cmd) { c.Personality = runner.Ptr(uint64(0x40000)) }, `personality(262144)`},
	"Scheduler":   {func(c *runner.Cmd) { c.Scheduler = &runner.Scheduler{Policy: 3} }, `sched_setscheduler(0, 3`},
}

// Those that have tests of their own, which would fail without the field.
var testedElsewhere = []string{"Stdin", "Stdout", "Stderr", "Capture", "CaptureHead", "WaitDelay", "CPUQuota",
	"RootWritable", "CgroupRoots", "CgroupDir", "CgroupPaths"}

var pieces = []runner.Piece{runner.Mount{Target: "/mnt", Type: "tmpfs", Data: "size=1"}}

func itself(inside uint32, outside int) []runner.IDMapping {
	return []runner.IDMapping{{Inside: inside, Outside: uint32(outside), Count: 1}}
}

var directory, _ = os.Open("/")

// The cgroup of its own where it can be had, else what stands in.
func memoryCall() string {
	if machine, err := runner.Probe(); err == nil && machine.RunsMiss&runner.MissingMemory == 0 {
		return "cgroup"
	}
	return `RLIMIT_AS`
}

func processCall() string {
	if machine, err := runner.Probe(); err == nil && machine.RunsMiss&runner.MissingProcesses == 0 {
		return "cgroup"
	}
	return `RLIMIT_NPROC`
}

func TestEveryFieldReachesTheLibrary(t *testing.T) {
	fields := reflect.TypeOf(runner.Cmd{})
	for i := 0; i < fields.NumField(); i++ {
		name := fields.Field(i).Name
		if _, tested := reaches[name]; !tested && !strings.Contains(strings.Join(testedElsewhere, " "), name) {
			t.Errorf("field %s is in no test", name)
		}
	}
	base, err := runner.New("/bin/true").Explain()
	if err != nil {
		t.Fatal(err)
	}
	for name, field := range reaches {
		cmd := runner.New("/bin/true")
		field.set(cmd)
		text, err := cmd.Explain()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !strings.Contains(text, field.call) || strings.Contains(base, field.call) {
			t.Errorf("%s: %s is not what it adds to\n%s", name, field.call, text)
		}
	}
	// This one takes something away.
	cmd := runner.New("/bin/true")
	cmd.Unshare, cmd.PivotRoot = runner.NewMount, "/tmp"
	readOnly, _ := cmd.Explain()
	cmd.RootWritable = true
	writable, _ := cmd.Explain()
	if readOnly == writable {
		t.Error("RootWritable changes nothing")
	}
}

func TestQuotaSlowsARunDown(t *testing.T) {
	skipWithout(t, "cpu_cgroup")
	cmd := sh("while :; do :; done")
	cmd.CPUQuota, cmd.WallLimit = 20, time.Second
	result, err := cmd.Run(background)
	if err != nil || result.Missing&runner.MissingQuota != 0 {
		t.Skipf("%v, %v", err, result.Reason)
	}
	if result.CPU > 500*time.Millisecond {
		t.Errorf("%v of CPU in %v", result.CPU, result.Wall)
	}
}

func TestDirectoryAsStdinIsRefusedUnlessAllowed(t *testing.T) {
	cmd := runner.New("/bin/true")
	cmd.Stdin = directory
	if _, err := cmd.Run(background); err == nil || !strings.Contains(err.Error(), "directory") {
		t.Errorf("%v", err)
	}
	cmd.AllowDirectoryFiles = true
	finished(t, cmd)
}

func TestCgroupsThatTheCallerNames(t *testing.T) {
	dir := t.TempDir()
	cmd := runner.New("/bin/true")
	cmd.CgroupRoots = []string{dir}
	expectStage(t, cmd, runner.StageCgroup)
	cmd = runner.New("/bin/true")
	cmd.CgroupPaths = []string{dir}
	expectStage(t, cmd, runner.StageCgroup)
	cmd = runner.New("/bin/true")
	cmd.CgroupDir = directory
	if process, err := cmd.Launch(); err == nil {
		process.Wait()
		t.Error("the root directory is a cgroup")
	}
}

func expectStage(t *testing.T, cmd *runner.Cmd, stage runner.Stage) {
	t.Helper()
	_, err := cmd.Run(background)
	if failure, ok := err.(*runner.Error); !ok || failure.Stage != stage {
		t.Errorf("%v, expected stage %v", err, stage)
	}
}

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		runner.VerdictTimeLimit.String():                              "time_limit",
		runner.EvidenceOOMKiller.String():                             "OOM killer",
		runner.SourceCgroupV2.String():                                "cgroup v2",
		runner.StagePivotRoot.String():                                "pivot_root",
		(runner.MissingMemory | runner.MissingCPU).String():           "memory, CPU time",
		(runner.Missing(0)).String():                                  "",
		runner.Missing(1 << 31).String():                              "unknown",
		runner.Verdict(1<<31).String() + runner.Stage(99999).String(): "unknownunknown",
	} {
		if got != want {
			t.Errorf("%q, expected %q", got, want)
		}
	}
}

func TestProbe(t *testing.T) {
	machine, err := runner.Probe()
	if err != nil {
		t.Fatal(err)
	}
	release, _ := exec.Command("uname", "-r").Output()
	kernel := itoa(machine.KernelMajor) + "." + itoa(machine.KernelMinor) + "."
	if !strings.HasPrefix(string(release), kernel) {
		t.Errorf("kernel %s, not %s", release, kernel)
	}
	if machine.UserNamespace != (tryUserNamespace() == nil) {
		t.Errorf("user namespaces: %v", machine.UserNamespace)
	}
	if machine.RunsMiss != 0 && machine.Blocker == "" {
		t.Error("something is missing and nothing says why")
	}
}

func tryUserNamespace() error {
	cmd := runner.New("/bin/true")
	cmd.Unshare = runner.NewUser | runner.NewMount
	_, err := cmd.Run(background)
	return err
}

// Nothing of the header is out of a Go program's reach: every constant, and every function but those whose place
// something else takes.
func TestHeader(t *testing.T) {
	header, err := os.ReadFile(headerFile)
	if err != nil {
		t.Fatal(err)
	}
	used := make(map[string]bool)
	// In Go, or in the C of a preamble.
	uses := regexp.MustCompile(`(?:C\.| = )((?:RUNNER|runner)_\w+)`)
	for _, use := range uses.FindAllStringSubmatch(goCode(t), -1) {
		used[use[1]] = true
	}
	code := regexp.MustCompile(`(?s)/\*.*?\*/|#ifndef.*?#define RUNNER_H\n`).ReplaceAllString(string(header), "")
	names := regexp.MustCompile(`\bRUNNER_[A-Z0-9_]+\b|\brunner_[a-z0-9_]+ ?\(`).FindAllString(code, -1)
	replaced := regexp.MustCompile(`_INIT$|^RUNNER_H$|` +
		`^runner_(clear_.*|clone|set_sync_func|run|start_pidfd|process_wait|error_format)$`)
	found := 0
	for _, name := range names {
		name = strings.Trim(name, " (")
		if replaced.MatchString(name) {
			continue
		}
		found++
		if !used[name] {
			t.Errorf("%s is not to be had", name)
		}
	}
	if found < 150 {
		t.Errorf("only %d names in the header", found)
	}
}

func goCode(t *testing.T) string {
	var all strings.Builder
	entries, err := os.ReadDir(sourceDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), ".go") && !strings.HasSuffix(entry.Name(), "_test.go") {
			text, _ := os.ReadFile(sourceDir + "/" + entry.Name())
			all.Write(text)
		}
	}
	return all.String()
}
