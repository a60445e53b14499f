package train

import (
	"context"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// revision is the git revision that this program was built from, with "-dirty" where something had been changed since; "" if nobody can
// tell. A build records it, but `go run` does not, though it builds from what lies there at that moment: then git is asked about it.
func revision() string {
	var of string
	var changed bool
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				of = s.Value
			case "vcs.modified":
				changed = s.Value == "true"
			}
		}
	}
	switch {
	case of == "":
		_, source, _, _ := runtime.Caller(0)
		return checkedOut(filepath.Dir(source))
	case changed:
		return of + dirty
	}
	return of
}

const dirty = "-dirty"

// checkedOut is what git says of the folder of the source.
func checkedOut(dir string) string {
	if !filepath.IsAbs(dir) { // built with -trimpath
		return ""
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "git", "-C", dir, "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty="+dirty).Output()
	if err != nil { // no git, or no checkout of it
		return ""
	}
	return strings.TrimSpace(string(out))
}
