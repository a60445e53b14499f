package scripts_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

var (
	metricLiteral = regexp.MustCompile(`"(cartwheel_[a-z_]+)"`)
	metricUsed    = regexp.MustCompile(`\b(?:cartwheel|process|go)_[a-z_]+\b|\bup\b`)
	labelUsed     = regexp.MustCompile(`([a-z]+)\s*(?:=~|!=|!~|=)\s*"`)
	grouped       = regexp.MustCompile(`by \(([a-z, ]+)\)`)
)

// metricsInCode are the names that the programs give their figures.
func metricsInCode(t *testing.T) map[string]bool {
	t.Helper()
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.go")
	list.Dir = ".."
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{"up": true, "process_resident_memory_bytes": true, "go_goroutines": true} // Prometheus's own, and of the collectors
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join("..", name))
		if os.IsNotExist(err) {
			continue // removed, and not yet from the index
		} else if err != nil {
			t.Fatal(err)
		}
		for _, m := range metricLiteral.FindAllStringSubmatch(string(text), -1) {
			names[m[1]] = true
		}
	}
	return names
}

// checkQuery holds an expression's metrics and labels against the code, and its brackets against one another. Prometheus's own parser
// would say more, and would bring more modules than the whole project has.
func checkQuery(t *testing.T, where, query string, known map[string]bool) {
	t.Helper()
	used := metricUsed.FindAllString(query, -1)
	if len(used) == 0 {
		t.Errorf("%s: %q uses no metric", where, query)
	}
	for _, name := range used {
		base := name
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if cut, ok := strings.CutSuffix(name, suffix); ok && known[cut] {
				base = cut
			}
		}
		if !known[base] {
			t.Errorf("%s: no program has the metric %s", where, name)
		}
	}
	labels := labelUsed.FindAllStringSubmatch(query, -1)
	for _, m := range grouped.FindAllStringSubmatch(query, -1) {
		for label := range strings.SplitSeq(m[1], ",") {
			labels = append(labels, []string{"", strings.TrimSpace(label)})
		}
	}
	for _, m := range labels {
		if !strings.Contains(" route code version partition reason outcome job instance le ", " "+m[1]+" ") {
			t.Errorf("%s: no metric has the label %s", where, m[1])
		}
	}
	depth := 0
	for _, r := range query {
		switch r {
		case '(', '{', '[':
			depth++
		case ')', '}', ']':
			depth--
		}
		if depth < 0 {
			break
		}
	}
	if depth != 0 {
		t.Errorf("%s: the brackets of %q do not match", where, query)
	}
}

func TestAlertsAreOfMetricsThatExist(t *testing.T) {
	data, err := os.ReadFile("observability/rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert       string
				Expr        string
				For         string
				Labels      map[string]string
				Annotations map[string]string
			}
		}
	}
	if err := yaml.UnmarshalWithOptions(data, &file, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	known, met := metricsInCode(t), map[string]bool{}
	runbook, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		for _, rule := range g.Rules {
			if met[rule.Alert] || rule.Alert == "" {
				t.Errorf("alert %q has no name, or a name that another has", rule.Alert)
			}
			met[rule.Alert] = true
			checkQuery(t, rule.Alert, rule.Expr, known)
			if s := rule.Labels["severity"]; s != "page" && s != "ticket" {
				t.Errorf("%s: severity %q", rule.Alert, s)
			}
			page, anchor, _ := strings.Cut(rule.Annotations["runbook"], "#")
			if page != "docs/operations.md" || !anchors(string(runbook))[anchor] || rule.Annotations["summary"] == "" {
				t.Errorf("%s: runbook %q, summary %q", rule.Alert, rule.Annotations["runbook"], rule.Annotations["summary"])
			}
			if !strings.Contains(string(runbook), rule.Alert) {
				t.Errorf("docs/operations.md does not name %s", rule.Alert)
			}
		}
	}
	if len(met) < 6 {
		t.Errorf("only %d alerts were checked", len(met))
	}
}

func TestDashboardIsOfMetricsThatExist(t *testing.T) {
	data, err := os.ReadFile("observability/grafana/dashboards/cartwheel.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		UID, Title string
		Panels     []struct {
			ID          int
			Type, Title string
			GridPos     struct{ X, Y, W, H int }
			FieldConfig struct {
				Defaults struct{ Color struct{ Mode string } }
			}
			Targets []struct {
				Expr    string
				Instant bool
			}
		}
	}
	if err := json.Unmarshal(data, &board); err != nil {
		t.Fatal(err)
	}
	known, ids, queries := metricsInCode(t), map[int]bool{}, 0
	for _, p := range board.Panels {
		if ids[p.ID] || p.Title == "" || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d %q: its number is taken, it has no title, or it is too wide", p.ID, p.Title)
		}
		ids[p.ID] = true
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q shows nothing", p.Title)
		}
		if p.Type == "stat" && p.FieldConfig.Defaults.Color.Mode != "fixed" {
			t.Errorf("panel %q has Grafana's own colours: red above 80, whatever the figure means", p.Title)
		}
		for _, target := range p.Targets {
			queries++
			checkQuery(t, p.Title, target.Expr, known)
			if p.Type == "stat" && !target.Instant {
				t.Errorf("panel %q shows what has been in the last hour, not what is: a version that is served no more would stay", p.Title)
			}
		}
	}
	if queries < 10 || board.UID != "cartwheel" {
		t.Errorf("%d queries, uid %q", queries, board.UID)
	}
}

// TestEverythingScrapedIsThere holds Prometheus's targets against compose.yaml.
func TestEverythingScrapedIsThere(t *testing.T) {
	data, err := os.ReadFile("observability/prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Scrape []struct {
			Job    string                       `yaml:"job_name"`
			Static []struct{ Targets []string } `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	compose, err := os.ReadFile("../compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var services struct {
		Services map[string]struct {
			Environment map[string]any
			Volumes     []string
		}
	}
	if err := yaml.UnmarshalWithOptions(compose, &services, yaml.AllowDuplicateMapKey()); err != nil {
		t.Fatal(err)
	}
	targets := 0
	for _, job := range file.Scrape {
		for _, target := range job.Static[0].Targets {
			targets++
			host, port, _ := strings.Cut(target, ":")
			env := services.Services[host].Environment
			if env["METRICS_ADDR"] != "0.0.0.0:"+port && env["API_ADDR"] != "0.0.0.0:"+port {
				t.Errorf("nothing in compose.yaml serves metrics at %s", target)
			}
		}
	}
	if targets != 3 {
		t.Errorf("%d targets", targets)
	}
	for _, service := range []string{"prometheus", "grafana"} {
		for _, volume := range services.Services[service].Volumes {
			if from, _, _ := strings.Cut(volume, ":"); strings.HasPrefix(from, "./") {
				if _, err := os.Stat(filepath.Join("..", from)); err != nil {
					t.Errorf("%s mounts %s: %v", service, from, err)
				}
			}
		}
	}
}
