//go:build integration

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"cartwheel/internal/kafka/kafkatest"
)

const observability = "../../scripts/observability"

// TestPrometheusWatches runs a Prometheus with the project's configuration beside the programs: it reaches all of them, every query
// of rules and dashboard finds its figures, nothing is wrong while all is well, and what goes wrong is told.
func TestPrometheusWatches(t *testing.T) {
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("there is no prometheus in PATH (Debian: apt-get install prometheus)")
	}
	p := setUp(t)
	p.run(t, "generate", "--events", "5000", "--out", filepath.Join(p.data, "raw", "events.csv"))
	p.run(t, "producer", "--create-topic")
	p.run(t, "consumer", "--idle-timeout", "2s")
	p.run(t, "train", "--rank", "4", "--iterations", "2", "--segments", "3", "--force")

	api := p.serve(t)
	consumer, train := freeAddr(t), freeAddr(t)
	consuming := start(t, p.env, filepath.Join(p.bin, "consumer"), "--follow", "--metrics-addr", consumer)
	start(t, p.env, filepath.Join(p.bin, "train"), "--every", "1s", "--min-new-events", "1000000", "--metrics-addr", train)
	w := watched{T: t, addr: freeAddr(t)}
	dir := t.TempDir()
	w.configure(dir, map[string]string{"api:8000": strings.TrimPrefix(api, "http://"), "consumer:9101": consumer, "retrain:9102": train})
	start(t, nil, program, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "tsdb"), "--web.listen-address="+w.addr)
	asking := startLoad(t, []string{api + "/v1/items/popular"})
	t.Cleanup(func() { asking.stop(); asking.done.Wait() })

	w.until("three programs are up", func() bool { return slices.Equal(w.values("sum(up)"), []string{"3"}) })
	for where, query := range w.queries() {
		w.until(fmt.Sprintf("%s: there is something to show for %s", where, query), func() bool {
			return slices.ContainsFunc(w.values(query), func(v string) bool { return v != "NaN" }) // as a route has that nobody asks
		})
	}
	w.rulesAreOfWhatThereIs()
	for _, alert := range w.alerts() {
		if !strings.HasSuffix(alert, " CartwheelSlow") { // as a machine may be that has much else to do
			t.Errorf("all is well, and yet: %s", alert)
		}
	}

	kafkatest.Send(t, kafkatest.Open(t, kafkatest.Real(t)), p.topic, 0, "no event at all")
	w.fires("CartwheelRejects")

	damaged := filepath.Join(p.data, "models", "20990101T000000Z-000000")
	if err := os.Mkdir(damaged, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.data, "models", "LATEST"), []byte(filepath.Base(damaged)+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	w.fires("CartwheelVersionRefused")

	if err := consuming.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	w.fires("CartwheelDown")
}

// freeAddr is where nobody listens.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start runs a program until the test ends.
func start(t *testing.T, env []string, program string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = env
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // it may have been killed
	})
	return cmd
}

// watched is a Prometheus.
type watched struct {
	*testing.T
	addr string
}

// configure writes the project's configuration with other targets, and with minutes made seconds, for nobody wants to wait.
func (w *watched) configure(dir string, targets map[string]string) {
	w.Helper()
	for _, name := range []string{"prometheus.yml", "rules.yml"} {
		data, err := os.ReadFile(filepath.Join(observability, name))
		if err != nil {
			w.Fatal(err)
		}
		text := string(data)
		for from, to := range targets {
			text = strings.ReplaceAll(text, `"`+from+`"`, `"`+to+`"`)
		}
		text = strings.ReplaceAll(text, "_interval: 10s", "_interval: 1s")
		text = regexp.MustCompile(`for: \d+m`).ReplaceAllString(text, "for: 1s")
		text = regexp.MustCompile(`(\[|offset )\d+m`).ReplaceAllString(text, "${1}20s")
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			w.Fatal(err)
		}
	}
}

// get asks Prometheus's API.
func (w *watched) get(path string, into any) error {
	response, err := http.Get("http://" + w.addr + "/api/v1/" + path)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer := struct {
		Error string
		Data  any
	}{Data: into}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer.Error != "" {
		return fmt.Errorf("%s: %w %s", path, err, answer.Error)
	}
	return nil
}

// values are what a query finds; nothing while Prometheus does not answer.
func (w *watched) values(query string) (values []string) {
	w.Helper()
	var found struct{ Result []struct{ Value [2]any } }
	if err := w.get("query?query="+url.QueryEscape(query), &found); err != nil {
		return nil
	}
	for _, r := range found.Result {
		values = append(values, fmt.Sprint(r.Value[1]))
	}
	return values
}

func (w *watched) until(what string, holds func() bool) {
	w.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatalf("after two minutes still not: %s", what)
		}
	}
}

// queries are those of the dashboard, by panel.
func (w *watched) queries() map[string]string {
	w.Helper()
	data, err := os.ReadFile(filepath.Join(observability, "grafana/dashboards/cartwheel.json"))
	if err != nil {
		w.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ RefID, Expr string }
		}
	}
	if err := json.Unmarshal(data, &board); err != nil {
		w.Fatal(err)
	}
	queries := map[string]string{}
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			queries[p.Title+" "+target.RefID] = target.Expr
		}
	}
	return queries
}

// rulesAreOfWhatThereIs wants every rule to have been evaluated without an error, and figures for each name in it.
func (w *watched) rulesAreOfWhatThereIs() {
	w.Helper()
	var all struct {
		Groups []struct {
			Rules []struct{ Name, Query, Health, LastError string }
		}
	}
	if err := w.get("rules", &all); err != nil || len(all.Groups) == 0 || len(all.Groups[0].Rules) == 0 {
		w.Fatalf("no rules: %v", err)
	}
	for _, r := range all.Groups[0].Rules {
		if r.Health != "ok" {
			w.Errorf("%s is %s: %s", r.Name, r.Health, r.LastError)
		}
		for _, metric := range regexp.MustCompile(`\b(cartwheel_\w+|up)\b`).FindAllString(r.Query, -1) {
			if len(w.values(metric)) == 0 {
				w.Errorf("%s: there are no figures of %s", r.Name, metric)
			}
		}
	}
}

// alerts are those that fire or are about to.
func (w *watched) alerts() (names []string) {
	w.Helper()
	var all struct {
		Alerts []struct {
			Labels map[string]string
			State  string
		}
	}
	if err := w.get("alerts", &all); err != nil {
		w.Fatal(err)
	}
	for _, a := range all.Alerts {
		names = append(names, a.State+" "+a.Labels["alertname"])
	}
	return names
}

func (w *watched) fires(alert string) {
	w.Helper()
	w.until(alert+" fires", func() bool { return slices.Contains(w.alerts(), "firing "+alert) })
}
