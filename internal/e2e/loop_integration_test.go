//go:build integration

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// post sends events to an API, and returns their ids once Kafka has them.
func post(t *testing.T, url string, events ...string) (ids []string) {
	t.Helper()
	response, err := http.Post(url+"/v1/events", "application/x-ndjson", strings.NewReader(strings.Join(events, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var accepted struct{ EventIDs []string }
	if err := json.Unmarshal(body, &accepted); err != nil || response.StatusCode != http.StatusAccepted {
		t.Fatalf("%s: %s", response.Status, body)
	}
	return accepted.EventIDs
}

// until waits until a visitor's answer is by a strategy, and returns how long that took.
func until(t *testing.T, url, strategy string) time.Duration {
	t.Helper()
	begun := time.Now()
	for get(t, url).Strategy != strategy {
		if time.Since(begun) > 30*time.Second {
			t.Fatalf("%s is still answered by %s, not %s", url, get(t, url).Strategy, strategy)
		}
	}
	return time.Since(begun)
}

// What is posted to one API changes the answers of another, is in the batch files, and is then in the next version.
func TestTheLoopCloses(t *testing.T) {
	p := setUp(t)
	p.env = append(p.env, "KAFKA_ERASURES_TOPIC="+filepath.Base(p.data)+"-erasures")
	source := filepath.Join(p.data, "raw", "events.csv")
	p.run(t, "generate", "--events", "8000", "--seed", "11", "--out", source)
	plant(t, source)
	p.run(t, "producer", "--create-topic")
	p.run(t, "consumer", "--idle-timeout", "3s")
	flags := []string{"--rank", "8", "--iterations", "3", "--segments", "3", "--force"}
	p.run(t, "train", flags...)
	one, two := p.serve(t), p.serve(t)

	recommended := func(url string, i int) string {
		return fmt.Sprintf("%s/v1/visitors/newcomer-%d/recommendations?limit=5&seen=include", url, i)
	}
	until(t, recommended(two, 0), "popular")
	const newcomers = 100
	var ids []string
	var took []time.Duration
	for i := range newcomers {
		event := fmt.Sprintf(`{"visitorid":"newcomer-%d","event":"view","itemid":"red-%d"}`, i, i%12)
		deadline := time.Now().Add(30 * time.Second)
		for i == 0 { // an API that has just started may not have found Kafka yet
			response, err := http.Post(one+"/v1/events", "application/json", strings.NewReader(`{"visitorid":"warm-up","event":"view","itemid":"blue-1"}`))
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if response.StatusCode == http.StatusAccepted {
				until(t, two+"/v1/visitors/warm-up/recommendations", "session")
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("the API takes no events: %s", response.Status)
			}
		}
		begun := time.Now()
		ids = append(ids, post(t, one, event)...)
		until(t, recommended(two, i), "session")
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	t.Logf("from POST to changed recommendations on another API: median %s, 99th percentile %s", took[len(took)/2], took[len(took)*99/100])

	p.run(t, "consumer", "--idle-timeout", "3s")
	arrived := map[string]int{}
	for _, row := range p.batchRows(t) {
		arrived[row[5]]++
	}
	for i, id := range ids {
		if arrived[id] != 1 {
			t.Errorf("event %d, %s, is in the batch files %d times", i, id, arrived[id])
		}
	}

	before, err := os.ReadFile(filepath.Join(p.data, "models", "LATEST"))
	if err != nil {
		t.Fatal(err)
	}
	p.run(t, "train", flags...)
	for _, url := range []string{one, two} {
		for deadline := time.Now().Add(time.Minute); get(t, recommended(url, 1)).ModelVersion == strings.TrimSpace(string(before)); {
			if time.Now().After(deadline) {
				t.Fatal("the next version is not served after a minute")
			}
		}
		// The version knows the newcomers now, and their events no longer count as new: an API that hears nothing of the topic says the same.
		if a := get(t, recommended(url, 1)); a.Strategy != "als" {
			t.Errorf("a newcomer whom the version knows is answered by %s", a.Strategy)
		}
	}
	p.env = append(p.env, "KAFKA_BOOTSTRAP_SERVERS=")
	deaf := p.serve(t)
	for i := range newcomers {
		if got, want := get(t, recommended(two, i)), get(t, recommended(deaf, i)); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("newcomer %d: with the topic %v, without %v", i, got, want)
		}
	}
}
