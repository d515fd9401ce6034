package runner_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"librunner/runner"
)

func itoa(n int) string { return strconv.Itoa(n) }

// onlyReader and onlyWriter hide what else a type can do.
type onlyReader struct{ io.Reader }
type onlyWriter struct{ io.Writer }

func TestFilesAreGivenAsTheyAre(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/in", []byte("from a file"), 0o644); err != nil {
		t.Fatal(err)
	}
	in, _ := os.Open(dir + "/in")
	out, _ := os.Create(dir + "/out")
	defer in.Close()
	defer out.Close()
	cmd := runner.New("/bin/cat")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, out
	finished(t, cmd)
	if text, _ := os.ReadFile(dir + "/out"); string(text) != "from a file" {
		t.Errorf("%q", text)
	}
	if _, err := out.WriteString("still open"); err != nil {
		t.Error(err)
	}
}

// A program that reads from a pipe expects a read that waits. Go's own pipes do not.
func TestPipesOfGoBlockInTheProgram(t *testing.T) {
	in, feed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	cmd := runner.New("/bin/cat")
	cmd.Stdin = in
	cmd.Capture = map[int]int64{1: 100, 2: 100}
	process := start(t, cmd)
	time.Sleep(50 * time.Millisecond)
	feed.WriteString("late")
	feed.Close()
	if result, err := process.Wait(); err != nil || string(result.Output[1]) != "late" {
		t.Errorf("%v, %+v", err, result)
	}
}

func TestFilesMayBeClosedOnceItRuns(t *testing.T) {
	in, feed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer
	cmd := runner.New("/bin/cat")
	cmd.Stdin, cmd.Stdout = in, &output
	process := start(t, cmd)
	in.Close()
	feed.WriteString("text")
	feed.Close()
	if _, err := process.Wait(); err != nil || output.String() != "text" {
		t.Errorf("%v, %q", err, output.String())
	}
}

func TestExtraFiles(t *testing.T) {
	three, err := os.Open("/dev/zero")
	if err != nil {
		t.Fatal(err)
	}
	defer three.Close()
	cmd := sh("for fd in 0 1 2 3 4 5 6; do readlink /proc/self/fd/$fd || echo closed; done")
	cmd.ExtraFiles = []*os.File{three, nil, three}
	cmd.Capture = map[int]int64{1: 1000}
	// readlink itself gets what the shell has; the shell's fds are these.
	lines := strings.Fields(string(finished(t, cmd).Output[1]))
	want := []string{"/dev/null", "pipe", "/dev/null", "/dev/zero", "closed", "/dev/zero", "closed"}
	for i := range want {
		if i >= len(lines) || !strings.HasPrefix(lines[i], want[i]) {
			t.Fatalf("%q, expected %q", lines, want)
		}
	}
}

func TestFilesReplaceAllOthers(t *testing.T) {
	zero, err := os.Open("/dev/zero")
	if err != nil {
		t.Fatal(err)
	}
	defer zero.Close()
	cmd := sh("for fd in 0 2 3; do readlink /proc/self/fd/$fd || echo closed; done")
	cmd.Files = []*os.File{zero, nil, nil, zero}
	cmd.Capture = map[int]int64{1: 1000}
	if got := string(finished(t, cmd).Output[1]); got != "/dev/zero\nclosed\n/dev/zero\n" {
		t.Errorf("%q", got)
	}
	cmd = sh("ls /proc/self/fd >/dev/null 2>&1; exit 0")
	cmd.Files = []*os.File{}
	finished(t, cmd)
	cmd.Stdout = new(bytes.Buffer)
	expectOptionError(t, cmd, "Files")
}

func TestBytesAndStringsAreFilesInMemory(t *testing.T) {
	byBytes, byString := bytes.NewReader([]byte("0123456789")), strings.NewReader("0123456789")
	byBytes.Seek(3, io.SeekStart)
	byString.Seek(3, io.SeekStart)
	for _, reader := range []io.ReadSeeker{byBytes, byString} {
		// tail seeks.
		cmd := sh("tail -c 2; readlink /proc/$$/fd/0")
		cmd.Stdin = reader
		cmd.Capture = map[int]int64{1: 100}
		for i := 0; i < 2; i++ {
			if got := string(finished(t, cmd).Output[1]); !strings.HasPrefix(got, "89/memfd:") {
				t.Errorf("%q", got)
			}
		}
		if at, _ := reader.Seek(0, io.SeekCurrent); at != 3 {
			t.Errorf("the reader has moved to %d", at)
		}
	}
}

// Through two pipes, with a reader and a writer that can do nothing else, and more than any pipe holds.
func TestReadersAndWritersAreCarried(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<18)
	for _, limit := range []int64{0, int64(len(data))} {
		sum := sha256.New()
		cmd := runner.New("/bin/cat")
		cmd.Stdin, cmd.Stdout = onlyReader{bytes.NewReader(data)}, onlyWriter{sum}
		cmd.OutputLimit = limit
		result := finished(t, cmd)
		if got := [32]byte(sum.Sum(nil)); got != sha256.Sum256(data) {
			t.Errorf("limit %d: not what was written", limit)
		}
		if result.Output[1] != nil {
			t.Error("kept as well")
		}
	}
}

func TestOutputLimitEndsARunThatWritesToAWriter(t *testing.T) {
	var output bytes.Buffer
	cmd := sh("while :; do echo 0123456789; done")
	cmd.Stdout = &output
	cmd.OutputLimit = 1000
	cmd.WallLimit = 20 * time.Second
	result, err := cmd.Run(background)
	if err != nil || result.Verdict != runner.VerdictOutputLimit || result.Evidence != runner.EvidenceCapture {
		t.Errorf("%v, %+v", err, result)
	}
	if output.Len() != 1000 {
		t.Errorf("%d bytes", output.Len())
	}
}

// Not only at its end.
func TestWritersGetItAsItComes(t *testing.T) {
	for _, limit := range []int64{0, 1000} {
		in, feed, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		out, to := io.Pipe()
		cmd := runner.New("/bin/cat")
		cmd.Stdin, cmd.Stdout, cmd.OutputLimit = in, to, limit
		process := start(t, cmd)
		in.Close()
		buffer := make([]byte, 10)
		for _, word := range []string{"one", "two"} {
			feed.WriteString(word)
			if n, err := out.Read(buffer); err != nil || string(buffer[:n]) != word {
				t.Errorf("limit %d: %v, %q", limit, err, buffer[:n])
			}
		}
		feed.Close()
		if _, err := process.Wait(); err != nil {
			t.Error(err)
		}
	}
}

func TestOneWriterForBothKeepsTheOrder(t *testing.T) {
	var output bytes.Buffer
	cmd := sh("for i in 1 2 3 4 5; do echo out; echo err >&2; done")
	cmd.Stdout, cmd.Stderr = &output, &output
	finished(t, cmd)
	if want := strings.Repeat("out\nerr\n", 5); output.String() != want {
		t.Errorf("%q", output.String())
	}
}

// The race detector is the judge here: with a limit there are two pipes, but never two writes at a time.
func TestOneWriterForBothIsNeverCalledTwiceAtOnce(t *testing.T) {
	var output bytes.Buffer
	cmd := sh("for i in 1 2 3 4 5; do echo out; echo err >&2; done")
	cmd.Stdout, cmd.Stderr, cmd.OutputLimit = &output, &output, 1000
	finished(t, cmd)
	if strings.Count(output.String(), "out\n") != 5 || strings.Count(output.String(), "err\n") != 5 {
		t.Errorf("%q", output.String())
	}
}

// Two writers of a type that == panics on.
type slices [][]byte

func (slices) Write(p []byte) (int, error) { return len(p), nil }

func TestWritersThatCannotBeCompared(t *testing.T) {
	cmd := sh("echo out; echo err >&2")
	cmd.Stdout, cmd.Stderr = slices{}, slices{}
	finished(t, cmd)
	cmd.OutputLimit = 100
	finished(t, cmd)
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
func (f failing) Read([]byte) (int, error)  { return 0, f.err }

func TestWriterThatFailsIsNotTheProgramsFault(t *testing.T) {
	broken := errors.New("the disk is full")
	for _, limit := range []int64{0, 1 << 20} {
		for writer, want := range map[io.Writer]error{failing{broken}: broken, failing{}: io.ErrShortWrite} {
			cmd := sh("i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i+1)); done")
			cmd.Stdout, cmd.OutputLimit = writer, limit
			result, err := cmd.Run(background)
			if !errors.Is(err, want) {
				t.Errorf("limit %d: %v, expected %v", limit, err, want)
			}
			if result == nil || result.Verdict != runner.VerdictFinished || result.ExitCode != 0 {
				t.Errorf("limit %d: %+v", limit, result)
			}
		}
	}
}

func TestReaderThatFails(t *testing.T) {
	broken := errors.New("the network is down")
	cmd := runner.New("/bin/cat")
	cmd.Stdin = io.MultiReader(strings.NewReader("first"), failing{broken})
	cmd.Capture = map[int]int64{1: 100}
	result, err := cmd.Run(background)
	if !errors.Is(err, broken) || result == nil || string(result.Output[1]) != "first" {
		t.Errorf("%v, %+v", err, result)
	}
}

type liar int

func (l liar) Read([]byte) (int, error)  { return int(l), nil }
func (l liar) Write([]byte) (int, error) { return int(l), nil }

func TestReadersAndWritersThatLie(t *testing.T) {
	for _, count := range []liar{-1, 1 << 40} {
		cmd := runner.New("/bin/cat")
		cmd.Stdin = count
		if _, err := cmd.Run(background); err == nil {
			t.Errorf("a Read that returns %d is believed", count)
		}
		cmd = runner.New("/bin/echo")
		cmd.Stdout = count
		if _, err := cmd.Run(background); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("a Write that returns %d: %v", count, err)
		}
	}
}

func TestInputThatNobodyReads(t *testing.T) {
	cmd := sh("exec <&-; exit 0")
	cmd.Stdin = onlyReader{bytes.NewReader(make([]byte, 10<<20))}
	finished(t, cmd)
}

// blocker blocks in its only call until it is let go.
type blocker struct {
	once   sync.Once
	inside chan struct{}
	let    chan struct{}
}

func newBlocker() *blocker { return &blocker{inside: make(chan struct{}), let: make(chan struct{})} }

func (b *blocker) block() {
	b.once.Do(func() { close(b.inside) })
	<-b.let
}
func (b *blocker) Read(p []byte) (int, error)  { b.block(); return copy(p, "x"), nil }
func (b *blocker) Write(p []byte) (int, error) { b.block(); return len(p), nil }

// TestMain sees whether the goroutines are gone once the blockers are let go.
func TestBlockedReadersAndWritersDoNotHoldTheResult(t *testing.T) {
	for name, set := range map[string]func(*runner.Cmd, *blocker){
		"reader":               func(c *runner.Cmd, b *blocker) { c.Stdin = b },
		"writer":               func(c *runner.Cmd, b *blocker) { c.Stdout = b },
		"writer under a limit": func(c *runner.Cmd, b *blocker) { c.Stdout, c.OutputLimit = b, 100 },
	} {
		b := newBlocker()
		cmd := runner.New("/bin/echo", "x")
		cmd.WaitDelay = 50 * time.Millisecond
		set(cmd, b)
		process := start(t, cmd)
		<-b.inside
		begin := time.Now()
		result, err := process.Wait()
		if !errors.Is(err, runner.ErrWaitDelay) || result == nil || result.Verdict != runner.VerdictFinished {
			t.Errorf("%s: %v, %+v", name, err, result)
		}
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("%s: it took %v", name, took)
		}
		close(b.let)
	}
}

// Somebody outside the run has the program's end of the pipe, so the pipe never ends.
func TestPipeThatOutlivesTheRun(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	var output bytes.Buffer
	cmd := sh("echo text; read line")
	in, feed, _ := os.Pipe()
	defer in.Close()
	cmd.Stdin, cmd.Stdout, cmd.WaitDelay = in, &output, 50*time.Millisecond
	process := start(t, cmd)
	thief, err := os.OpenFile("/proc/"+itoa(process.Pid())+"/fd/1", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer thief.Close()
	feed.Close()
	result, err := process.Wait()
	if !errors.Is(err, runner.ErrWaitDelay) || result == nil {
		t.Errorf("%v, %+v", err, result)
	}
	// The carrier has ended: nobody else touches the buffer.
	if output.String() != "text\n" {
		t.Errorf("%q", output.String())
	}
}

func TestWhatIsNoFileNeedsAWatch(t *testing.T) {
	for option, set := range map[string]func(*runner.Cmd){
		"Stdin":  func(c *runner.Cmd) { c.Stdin = strings.NewReader("x") },
		"Stdout": func(c *runner.Cmd) { c.Stdout = new(bytes.Buffer) },
		"Stderr": func(c *runner.Cmd) { c.Stderr = new(bytes.Buffer) },
	} {
		cmd := runner.New("/bin/true")
		set(cmd)
		_, err := cmd.Launch()
		checkOptionError(t, err, option)
		_, err = cmd.Hold()
		checkOptionError(t, err, option)
	}
}

// A daemon may have closed its stdio; a pipe must not become fd 1 or 2, where a program that does not read its input
// would be the host's own SIGPIPE.
func init() {
	roles["daemon"] = func() {
		os.Stdin.Close()
		os.Stdout.Close()
		os.Stderr.Close()
		cmd := sh("exec <&-; sleep 0.2")
		cmd.Stdin = onlyReader{bytes.NewReader(make([]byte, 1<<20))}
		if _, err := cmd.Run(background); err != nil {
			os.Exit(1)
		}
	}
}

func TestHostWithoutStdio(t *testing.T) {
	if output, err := role("daemon").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, output)
	}
}
