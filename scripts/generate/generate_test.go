package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// asProgram makes the test binary run as the program, with files limited to that many bytes: a full disk, as the program meets it.
const asProgram = "GENERATE_TEST_FILE_LIMIT"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		signal.Ignore(syscall.SIGXFSZ)
		limit := syscall.Rlimit{Cur: 1 << 20, Max: 1 << 20}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			panic(err)
		}
		os.Exit(run(context.Background(), os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

func TestWritesTheSetAndSaysThatItIsGenerated(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out := must(t, "--data-dir", dir, "--events", "20000")
	raw := filepath.Join(dir, "raw")
	want := []string{markerName, treeName, "events.csv", propertiesName}
	slices.Sort(want)
	if got := names(t, raw); !slices.Equal(got, want) {
		t.Fatalf("wrote %v, want %v", got, want)
	}
	if !strings.Contains(out, "not RetailRocket's") || !strings.Contains(out, "20000 events") {
		t.Errorf("output: %s", out)
	}
	var m marker
	if err := json.Unmarshal([]byte(read(t, filepath.Join(raw, markerName))), &m); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(m.Notice, "generated") || m.Events != 20_000 || m.Seed != 1 || m.Visitors != 10_214 || m.Items != 1_705 || m.Duplicates != 3 {
		t.Errorf("marker: %+v", m)
	}
	for _, name := range []string{"events.csv", treeName, propertiesName} {
		sum, err := sumFile(filepath.Join(raw, name))
		if err != nil {
			t.Fatal(err)
		}
		if m.SHA256[name] != sum {
			t.Errorf("%s: marker says SHA-256 %q, the file has %s", name, m.SHA256[name], sum)
		}
	}
	if lines := strings.Count(read(t, filepath.Join(raw, "events.csv")), "\n"); lines != 20_001 {
		t.Errorf("events.csv has %d lines, want 20001", lines)
	}
}

func TestTheEnvironmentNamesTheFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	getenv := func(name string) string { return map[string]string{"DATA_DIR": dir}[name] }
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"--events", "100"}, getenv, &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	read(t, filepath.Join(dir, "raw", "events.csv"))
}

func TestASecondRunFindsItAlreadyThere(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "e.csv")
	must(t, "--out", path, "--events", "1000")
	before := stat(t, path)
	if out := must(t, "--out", path, "--events", "1000"); !strings.Contains(out, "Already there") {
		t.Errorf("output: %s", out)
	}
	if !os.SameFile(before, stat(t, path)) {
		t.Error("the file was written again")
	}
}

// Nothing that is not the remainder of an interrupted run is replaced, unless by --force.
func TestWhatIsThereIsLeftAsItIs(t *testing.T) {
	t.Parallel()
	generated := func(t *testing.T, path string) { must(t, "--out", path, "--events", "1000") }
	cases := map[string]struct {
		before func(t *testing.T, path string)
		reason string
	}{
		"real events": {func(t *testing.T, path string) { put(t, path, "timestamp,visitorid\n") }, "was not generated"},
		"a real tree": {func(t *testing.T, path string) { put(t, beside(path, treeName), "categoryid,parentid\n") }, "was not generated"},
		"another seed": {func(t *testing.T, path string) { must(t, "--out", path, "--events", "1000", "--seed", "2") },
			"another generated set (1000 events, seed 2"},
		"another size": {func(t *testing.T, path string) { must(t, "--out", path, "--events", "999") }, "another generated set (999 events"},
		"another name": {func(t *testing.T, path string) { generated(t, beside(path, "other.csv")) }, "another generated set"},
		"edited": {func(t *testing.T, path string) {
			generated(t, path)
			put(t, path, read(t, path)+"1430622004384,1,view,1,\n")
		}, "no longer, the file that GENERATED.json describes"},
		"real events over generated ones": {func(t *testing.T, path string) {
			generated(t, path)
			put(t, path, "timestamp,visitorid\n")
		}, "no longer, the file that GENERATED.json describes"},
		"an unreadable marker": {func(t *testing.T, path string) { put(t, beside(path, markerName), "{") }, "reading the marker"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "events.csv")
			c.before(t, path)
			before := contents(t, filepath.Dir(path))
			code, _, stderr := generateWith(t.Context(), "--out", path, "--events", "1000")
			if code != 1 || !strings.Contains(stderr, c.reason) || !strings.Contains(stderr, "--force") {
				t.Errorf("exit code %d, message %q, want 1 and %q", code, stderr, c.reason)
			}
			if after := contents(t, filepath.Dir(path)); !slices.Equal(after, before) {
				t.Error("something in the folder changed")
			}
			must(t, "--out", path, "--events", "1000", "--force")
			if out := must(t, "--out", path, "--events", "1000"); !strings.Contains(out, "Already there") {
				t.Errorf("after --force: %s", out)
			}
		})
	}
}

func TestAnInterruptedRunIsCompleted(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "events.csv")
	must(t, "--out", path, "--events", "1000")
	whole := contents(t, filepath.Dir(path))
	for _, lost := range []string{path, beside(path, treeName)} {
		if err := os.Remove(lost); err != nil {
			t.Fatal(err)
		}
	}
	must(t, "--out", path, "--events", "1000")
	if got := contents(t, filepath.Dir(path)); !slices.Equal(got, whole) {
		t.Error("the set is not what it was")
	}
}

func TestAFullDiskLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "--out", filepath.Join(dir, "events.csv"), "--events", "100000")
	cmd.Env = append(os.Environ(), asProgram+"=1")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Fatalf("%v: %s", err, out)
	}
	if !strings.Contains(string(out), "events.csv: writing events:") || !strings.Contains(string(out), "file too large") {
		t.Errorf("message: %s", out)
	}
	if left := names(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAStoppedRunLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	code, _, stderr := generateWith(ctx, "--out", filepath.Join(dir, "events.csv"), "--events", "100000")
	if code != 1 || !strings.Contains(stderr, "context canceled") {
		t.Errorf("exit code %d, message %q", code, stderr)
	}
	if left := names(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestWrongSettingsAreNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, c := range []struct{ args, reason string }{
		{"--events 0", "--events 0 is not between 1 and 1000000000"},
		{"--events 1000000001", "--events 1000000001 is not between"},
		{"--events many", `invalid value "many"`},
		{"--seed -1", `invalid value "-1"`},
		{"--out " + dir, "is not a file: name the events file itself"},
		{"--out " + filepath.Join(dir, markerName), "choose another"},
		{"events.csv", `unexpected argument "events.csv"`},
	} {
		code, _, stderr := generateWith(t.Context(), strings.Fields(c.args)...)
		if code != 2 || !strings.Contains(stderr, c.reason) {
			t.Errorf("%s: exit code %d, message %q, want 2 and %q", c.args, code, stderr, c.reason)
		}
	}
	if left := names(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestHelpNamesEveryFlag(t *testing.T) {
	t.Parallel()
	code, stdout, _ := generateWith(t.Context(), "--help")
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, name := range []string{"--events", "--seed", "--out", "--data-dir", "[DATA_DIR]", "--force"} {
		if !strings.Contains(stdout, name) {
			t.Errorf("help does not name %s", name)
		}
	}
}

func generateWith(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = run(ctx, args, func(string) string { return "" }, &out, &err)
	return code, out.String(), err.String()
}

func must(t *testing.T, args ...string) string {
	t.Helper()
	code, stdout, stderr := generateWith(t.Context(), args...)
	if code != 0 {
		t.Fatalf("%v: exit code %d: %s", args, code, stderr)
	}
	return stdout
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// contents is every file of a folder as "name: contents".
func contents(t *testing.T, dir string) []string {
	t.Helper()
	out := names(t, dir)
	for i, name := range out {
		out[i] = name + ": " + read(t, filepath.Join(dir, name))
	}
	return out
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func stat(t *testing.T, path string) os.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}
