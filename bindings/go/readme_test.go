package runner_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The program in README is copied into a module of its own, as a reader would, and prints what stands beneath it.
func TestReadmesProgram(t *testing.T) {
	if sourceDir != "." {
		t.Skip("not where the module is: once is enough")
	}
	text, err := os.ReadFile(sourceDir + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```go\n")
	program, rest, _ := strings.Cut(rest, "```\n")
	want, _, found := strings.Cut(strings.TrimSpace(rest), "\n")
	if !found {
		t.Fatal("no program")
	}
	own, err := filepath.Abs(sourceDir)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	os.WriteFile(dir+"/main.go", []byte(program), 0o644)
	for _, args := range [][]string{{"mod", "init", "first"},
		{"mod", "edit", "-require", "librunner/runner@v0.1.0", "-replace", "librunner/runner=" + own}} {
		run := exec.Command("go", args...)
		run.Dir = dir
		if output, err := run.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, output)
		}
	}
	run := exec.Command("go", "run", ".")
	run.Dir = dir
	if output, err := run.Output(); err != nil || string(output) != want+"\n" {
		t.Errorf("%v: %q, expected %q", err, output, want)
	}
}
