package runner_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// The example judges a program for each verdict. It is built here, unless it was built before.
func TestExampleGrade(t *testing.T) {
	skipWithout(t, "user_namespace")
	dir := t.TempDir()
	grade := os.Getenv("RUNNER_GRADE")
	if grade == "" {
		grade = dir + "/grade"
		build := exec.Command("go", "build", "-o", grade, ".")
		build.Dir = "../../examples/go/grade"
		if output, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, output)
		}
	}
	// Nobody, whom root maps, has to get there.
	os.Chmod(filepath.Dir(dir), 0o755)
	os.WriteFile(dir+"/in", []byte("4\n"), 0o644)
	os.WriteFile(dir+"/out", []byte("8\n\n"), 0o644)
	// On a crowded machine it has not had its second of CPU after three.
	busy := "^(time_limit by CPU time|wall_limit by wall timer)"
	figures := `; \d+\.\d ms CPU, \d+\.\d MiB\n$`
	for _, c := range []struct{ script, want string }{
		{"read n; echo $((2*n))", "^accepted"},
		{"echo 9", "^wrong_answer"},
		{"echo 8; exit 1", "^finished by exit code"},
		{"exec tail /dev/zero", "^memory_limit by (OOM killer|memory figure)"},
		{"while :; do :; done", busy},
		{"sleep 100", "^wall_limit by wall timer"},
		{"yes", "^output_limit by capture"},
		{"test $(id -u) = 65534 && ! test -e /home && touch /tmp/x && ! touch /x 2>/dev/null && echo 8", "^accepted"},
	} {
		program := dir + "/program"
		os.WriteFile(program, []byte("#!/bin/sh\nexport PATH=/usr/bin:/bin\n"+c.script+"\n"), 0o755)
		output, err := exec.Command(grade, program, dir+"/in", dir+"/out").CombinedOutput()
		if !regexp.MustCompile(c.want + figures).Match(output) {
			t.Errorf("%s: %s", c.script, output)
		}
		if accepted := c.want == "^accepted"; accepted != (err == nil) {
			t.Errorf("%s: %v", c.script, err)
		}
	}
	output, err := exec.Command(grade, dir+"/nothing", dir+"/in", dir+"/out").CombinedOutput()
	if err == nil || !regexp.MustCompile(`grade: runner: mount\[4\]: .*nothing.*No such file`).Match(output) {
		t.Errorf("a program that is not there: %v, %s", err, output)
	}
}
