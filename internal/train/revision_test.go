package train

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

func TestCheckedOut(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git in PATH")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "a.go")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git := func(args ...string) {
		t.Helper()
		args = append([]string{"-C", dir, "-c", "user.name=a", "-c", "user.email=a@example.com"}, args...)
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	if got := checkedOut(dir); got != "" {
		t.Errorf("a folder that is no checkout is of %q", got)
	}
	git("init", "-q")
	write("one")
	git("add", "a.go")
	git("commit", "-qm", "one")
	git("tag", "-am", "a tag is no revision", "v1")
	clean := checkedOut(dir)
	if !regexp.MustCompile("^[0-9a-f]{40}$").MatchString(clean) {
		t.Errorf("a checkout is of %q", clean)
	}
	write("two")
	if got := checkedOut(dir); got != clean+"-dirty" {
		t.Errorf("a checkout with changes is of %q, want %s-dirty", got, clean)
	}
	if got := checkedOut("cartwheel/internal/train"); got != "" {
		t.Errorf("a path of -trimpath is of %q", got)
	}
}
