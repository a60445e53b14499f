package scripts_test

import (
	"bufio"
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

var update = flag.Bool("update", false, "write the settings in docs/configuration.md and README.md anew instead of comparing")

// cell makes a text fit for a table.
var cell = strings.NewReplacer("|", `\|`, "<", "&lt;").Replace

// programs are those with settings, in the order in which data passes them.
var programs = []string{
	"./producer", "./consumer", "./sparkjobs/train", "./sparkjobs/tune", "./api",
	"./scripts/generate", "./scripts/dlq", "./scripts/erase", "./scripts/doctor", "./scripts/backup", "./scripts/restore",
}

// setting is one flag as --help tells it.
type setting struct{ flag, kind, variable, meaning, def string }

var (
	settingLine = regexp.MustCompile(`^  --([a-z0-9-]+)(?: (.+?))??(?:  \[([A-Z_]+)\])?$`)
	defaultText = regexp.MustCompile(`^(.*) \(default:? (.*)\)$`)
)

// help returns the settings of each program, as it tells them once built.
var help = sync.OnceValues(func() (map[string][]setting, error) {
	bin, err := os.MkdirTemp("", "cartwheel-docs-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(bin)
	settings := map[string][]setting{}
	build := exec.Command("go", append([]string{"build", "-o", bin + "/"}, programs...)...)
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building: %w\n%s", err, out)
	}
	for _, program := range programs {
		run := exec.Command(filepath.Join(bin, filepath.Base(program)), "--help")
		run.Env = []string{}
		out, err := run.Output() // help that was asked for is no error
		if err != nil {
			return nil, fmt.Errorf("running %s --help: %w\n%s", program, err, out)
		}
		lines := bufio.NewScanner(bytes.NewReader(out))
		for lines.Scan() {
			m := settingLine.FindStringSubmatch(lines.Text())
			if m == nil {
				continue
			}
			if !lines.Scan() {
				return nil, fmt.Errorf("%s --help says nothing about --%s", program, m[1])
			}
			s := setting{flag: m[1], kind: m[2], variable: m[3], meaning: strings.TrimSpace(lines.Text())}
			if d := defaultText.FindStringSubmatch(s.meaning); d != nil {
				s.meaning, s.def = d[1], d[2]
			}
			settings[program] = append(settings[program], s)
		}
		if len(settings[program]) == 0 {
			return nil, fmt.Errorf("%s --help names no flag:\n%s", program, out)
		}
	}
	return settings, nil
})

func settings(t *testing.T) map[string][]setting {
	t.Helper()
	found, err := help()
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestConfigurationPageIsTrue(t *testing.T) {
	found := settings(t)
	var page strings.Builder
	page.WriteString(`# Configuration

Every setting is a flag; where a variable is named, the environment may give it, too, and the flag wins. A wrong setting ends a
program with code 2 and a line for each fault. This page is made from what the programs say with ` + "`--help`" + `
(` + "`go test ./scripts -run 'Configuration|Variables' -update`" + `), and a test holds it to that.
`)
	for _, program := range programs {
		fmt.Fprintf(&page, "\n## `go run %s`\n\n| flag | variable | default | meaning |\n|---|---|---|---|\n", program)
		for _, s := range found[program] {
			name, variable := strings.TrimSpace("--"+s.flag+" "+s.kind), ""
			if s.variable != "" {
				variable = "`" + s.variable + "`"
			}
			fmt.Fprintf(&page, "| `%s` | %s | %s | %s |\n", name, variable, cell(s.def), cell(s.meaning))
		}
	}
	hold(t, "docs/configuration.md", func(string) string { return page.String() })
}

var variablesInReadme = regexp.MustCompile(`(?s)(\| variable \|[^\n]*\n\|---[^\n]*\n)(?:\|[^\n]*\n)*`)

func TestVariablesInTheReadmeAreTrue(t *testing.T) {
	rows, users, otherwise := map[string]setting{}, map[string][]string{}, map[string]string{}
	for _, folder := range programs {
		program := filepath.Base(folder)
		for _, s := range settings(t)[folder] {
			if s.variable == "" {
				continue
			}
			if !slices.Contains(users[s.variable], program) {
				users[s.variable] = append(users[s.variable], program)
			}
			if first, known := rows[s.variable]; !known {
				rows[s.variable] = s
			} else if first.def != s.def && !strings.Contains(otherwise[s.variable], program+": ") {
				otherwise[s.variable] += fmt.Sprintf(" (%s: %s)", program, cmp.Or(s.def, "none"))
			}
		}
	}
	var table strings.Builder
	for _, variable := range slices.Sorted(maps.Keys(rows)) {
		who := strings.Join(users[variable], ", ")
		if len(users[variable]) > 3 {
			who = "most"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", variable, who, cell(rows[variable].def+otherwise[variable]), cell(rows[variable].meaning))
	}
	hold(t, "README.md", func(readme string) string {
		if !variablesInReadme.MatchString(readme) {
			t.Fatal("README.md has no table of variables")
		}
		return variablesInReadme.ReplaceAllString(readme, "${1}"+strings.ReplaceAll(table.String(), "$", "$$"))
	})
}

// hold compares a page with what it should be, or with -update makes it that.
func hold(t *testing.T, page string, should func(is string) string) {
	t.Helper()
	file := filepath.Join("..", page)
	is, err := os.ReadFile(file)
	if err != nil && !*update {
		t.Fatal(err)
	}
	made := should(string(is))
	if made == string(is) {
		return
	}
	if !*update {
		t.Fatalf("%s is not what the programs say: go test ./scripts -run 'Configuration|Variables' -update", page)
	}
	if err := os.WriteFile(file, []byte(made), 0o644); err != nil {
		t.Fatal(err)
	}
}

// pages are the texts a reader is given, by their path from the top of the project.
func pages(t *testing.T) map[string]string {
	t.Helper()
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md")
	list.Dir = ".."
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		text, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(text)
	}
	if texts["README.md"] == "" {
		t.Fatal("there is no README.md")
	}
	return texts
}

var link = regexp.MustCompile(`\]\(([^()\s]+)\)`)

func TestLinksLeadSomewhere(t *testing.T) {
	texts, followed := pages(t), 0
	for name, text := range texts {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue // what lies outside is not ours to hold
			}
			followed++
			path, anchor, _ := strings.Cut(m[1], "#")
			target := name
			if path != "" {
				target = filepath.Join(filepath.Dir(name), path)
			}
			if _, err := os.Stat(filepath.Join("..", target)); err != nil {
				t.Errorf("%s links to %s: %v", name, m[1], err)
			} else if anchor != "" && !anchors(texts[target])[anchor] {
				t.Errorf("%s links to %s: %s has no such heading", name, m[1], target)
			}
		}
	}
	if followed == 0 {
		t.Fatal("no link was followed")
	}
}

// anchors are the names of a page's headings, as the usual renderers make them.
func anchors(text string) map[string]bool {
	found := map[string]bool{}
	dropped := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	for line := range strings.SplitSeq(text, "\n") {
		if heading := strings.TrimLeft(line, "#"); heading != line && strings.HasPrefix(heading, " ") {
			plain := dropped.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), "")
			found[strings.ReplaceAll(plain, " ", "-")] = true
		}
	}
	return found
}

var (
	fence     = regexp.MustCompile("(?ms)^```(?:sh|bash|console)\n(.*?)^```")
	inline    = regexp.MustCompile("`([^`\n]+)`")
	makeCall  = regexp.MustCompile(`^make ([a-z-]+)`)
	goRun     = regexp.MustCompile(`go run (\./[a-z/-]+)((?: [^|;&#]+)?)`)
	scriptRun = regexp.MustCompile(`(?:^|[ (])(scripts/[a-z-]+(?:/[a-z-]+)?)`)
	longFlag  = regexp.MustCompile(`(?:^|\s)--([a-z][a-z0-9-]*)`)
)

// TestCommandsInTheDocsExist holds every command that a page shows against the Makefile, the folders and the programs' flags.
func TestCommandsInTheDocsExist(t *testing.T) {
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	flags := map[string]map[string]bool{} // folder of a program -> its flags
	for folder, known := range settings(t) {
		flags[folder] = map[string]bool{"help": true}
		for _, s := range known {
			flags[folder][s.flag] = true
		}
	}
	checked := 0
	for name, text := range pages(t) {
		var lines []string
		for _, block := range fence.FindAllStringSubmatch(text, -1) {
			lines = append(lines, strings.Split(strings.ReplaceAll(block[1], "\\\n", " "), "\n")...)
		}
		for _, code := range inline.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			lines = append(lines, code[1])
		}
		for _, line := range lines {
			line = strings.TrimSpace(line)
			if m := makeCall.FindStringSubmatch(line); m != nil {
				checked++
				if !regexp.MustCompile(`(?m)^` + m[1] + `:`).Match(makefile) {
					t.Errorf("%s shows %q: the Makefile has no %s", name, line, m[1])
				}
			}
			for _, m := range goRun.FindAllStringSubmatch(line, -1) {
				checked++
				if found, _ := filepath.Glob(filepath.Join("..", m[1], "main.go")); found == nil {
					t.Errorf("%s shows %q: %s is no program", name, line, m[1])
				}
				for _, f := range longFlag.FindAllStringSubmatch(m[2], -1) {
					if known := flags[m[1]]; known != nil && !known[f[1]] {
						t.Errorf("%s shows %q: %s has no flag --%s", name, line, m[1], f[1])
					}
				}
			}
			for _, m := range scriptRun.FindAllStringSubmatch(line, -1) {
				checked++
				if _, err := os.Stat(filepath.Join("..", m[1])); err != nil {
					t.Errorf("%s shows %q: %v", name, line, err)
				}
			}
		}
	}
	if checked == 0 {
		t.Fatal("no command was checked")
	}
}

// TestMakefileRunsWhatItNames: a list of programs to build, put where one is run, would give it the others as arguments.
func TestMakefileRunsWhatItNames(t *testing.T) {
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	runs := regexp.MustCompile(`(?m)^\tgo run (\./\S+)(.*)$`).FindAllStringSubmatch(string(makefile), -1)
	for _, m := range runs {
		if _, err := os.Stat(filepath.Join("..", m[1], "main.go")); err != nil {
			t.Errorf("%s: %v", strings.TrimSpace(m[0]), err)
		}
		if strings.Contains(m[2], " ./") {
			t.Errorf("%s: gives one program the name of another", strings.TrimSpace(m[0]))
		}
	}
	if len(runs) == 0 {
		t.Fatal("the Makefile runs no program")
	}
}
