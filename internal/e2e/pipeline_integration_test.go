//go:build integration

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const generated = 30_000 // events

// plant appends visitors with a plain taste: red ones and blue ones, each with eight of their colour's twelve items; and "planted",
// with six red ones. It returns how many rows it wrote.
func plant(t *testing.T, path string) (planted int) {
	t.Helper()
	var last int64
	for _, row := range rows(t, path) {
		at, err := strconv.ParseInt(row[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		last = max(last, at)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	// A month before the end, so that the hold-out of the latest events leaves them to the measured model, too.
	at := last - int64(30*24*time.Hour/time.Millisecond)
	write := func(visitor, event, item string) {
		at += 1000
		planted++
		transaction := ""
		if event == "transaction" {
			transaction = fmt.Sprintf("order-%d.0", planted)
		}
		if _, err := fmt.Fprintf(f, "%d,%s,%s,%s,%s\n", at, visitor, event, item, transaction); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 80 {
		colour := []string{"red", "blue"}[i%2]
		for k := range 8 {
			item := fmt.Sprintf("%s-%d", colour, (i/2+k)%12)
			write(fmt.Sprintf("%s-visitor-%d", colour, i), "view", item)
			if k%3 == 0 {
				write(fmt.Sprintf("%s-visitor-%d", colour, i), "transaction", item)
			}
		}
	}
	for k := range 6 {
		write("planted", "view", fmt.Sprintf("red-%d", k))
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return planted
}

// TestTheWholeWay goes from a file through Kafka, batch files and two trainings to answers, with visitors who come and go meanwhile.
func TestTheWholeWay(t *testing.T) {
	p := setUp(t)
	source := filepath.Join(p.data, "raw", "events.csv")
	p.run(t, "generate", "--events", strconv.Itoa(generated), "--seed", "7", "--out", source)
	want := len(rows(t, source)) + plant(t, source)
	p.run(t, "producer", "--create-topic")
	p.run(t, "consumer", "--idle-timeout", "3s")
	t.Run("every row arrives once", func(t *testing.T) { arrivedOnce(t, rows(t, source), p.batchRows(t), want) })

	told := p.run(t, "train", "--rank", "16", "--iterations", "5")
	for _, figure := range []string{"ndcg@10", "recall@10", "hitrate@10", "popular", "segments (means)"} {
		if !strings.Contains(told, figure) {
			t.Errorf("the training does not tell %s:\n%s", figure, told)
		}
	}
	one, two := p.serve(t), p.serve(t)
	planted := one + "/v1/visitors/planted/recommendations?limit=4"

	t.Run("a planted taste is found", func(t *testing.T) {
		a := get(t, planted)
		if a.Strategy != "als" {
			t.Errorf("strategy %q, want als", a.Strategy)
		}
		for _, id := range a.ids() {
			n, _ := strconv.Atoi(strings.TrimPrefix(id, "red-"))
			if !strings.HasPrefix(id, "red-") || n < 6 {
				t.Errorf("%s among the first four; want red items that the visitor has not seen: %v", id, a.ids())
			}
		}
	})

	t.Run("a stranger gets what is popular", func(t *testing.T) {
		a, popular := get(t, one+"/v1/visitors/nobody/recommendations"), get(t, one+"/v1/items/popular")
		if a.Strategy != "popular" || len(a.Items) != 10 || !slices.Equal(a.ids(), popular.ids()) {
			t.Errorf("got %s %v, popular items are %v", a.Strategy, a.ids(), popular.ids())
		}
	})

	ids := comeToBeKnown(t, one, two)
	erase(t, one, two, erased...)
	p.run(t, "consumer", "--idle-timeout", "3s")
	t.Run("what was posted is in the batch files", func(t *testing.T) {
		arrived := map[string]int{}
		for _, row := range p.batchRows(t) {
			arrived[row[5]]++
		}
		for i, id := range ids {
			if arrived[id] != 1 {
				t.Errorf("event %d, %s, is in the batch files %d times", i, id, arrived[id])
			}
		}
	})

	trainer := p.trainEvery(t, "--rank", "16", "--iterations", "5", "--segments", "3", "--force", "--min-new-events", strconv.Itoa(newcomers))
	t.Run("a second training takes over without a failed request", func(t *testing.T) {
		before := get(t, planted).ModelVersion // a training takes longer than this
		l := startLoad(t, []string{planted, one + "/v1/visitors/nobody/recommendations", one + "/v1/items/popular"})
		after := trainer.next(t, before)
		deadline := time.After(time.Minute)
		for l.seen(after) < 100 {
			select {
			case <-deadline:
				t.Fatalf("the API serves %v a minute after %s became the champion", l.answers, after)
			case <-time.After(50 * time.Millisecond):
			}
		}
		l.stop()
		l.done.Wait()
		if len(l.failures) > 0 {
			t.Errorf("%d requests failed, the first: %s", len(l.failures), l.failures[0])
		}
		if before == after || l.answers[before] == 0 || len(l.answers) != 2 {
			t.Errorf("answers by version: %v; want some of %s, then of %s", l.answers, before, after)
		}
	})

	deaf := p.serve(t, "KAFKA_BOOTSTRAP_SERVERS=") // it hears nothing of the topics, so that all it knows is the version's
	t.Run("the version says of newcomers what the live history said", func(t *testing.T) {
		for deadline := time.Now().Add(time.Minute); get(t, newcomer(two, 1)).ModelVersion != p.champion(t); {
			if time.Now().After(deadline) {
				t.Fatal("the next version is not served after a minute")
			}
		}
		if a := get(t, newcomer(two, 1)); a.Strategy != "als" {
			t.Errorf("a newcomer whom the version knows is answered by %s", a.Strategy)
		}
		for i := range newcomers {
			if got, want := get(t, newcomer(two, i)), get(t, newcomer(deaf, i)); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("newcomer %d: with the topic %v, without %v", i, got, want)
			}
		}
	})
	t.Run("the version knows nothing of erased visitors", func(t *testing.T) {
		if told := trainer.told(t); !strings.Contains(told, "2 visitors have been erased") {
			t.Errorf("the training does not tell of erased visitors:\n%s", told)
		}
		for _, visitor := range erased {
			if known(t, deaf, visitor) {
				t.Errorf("the version knows %s", visitor)
			}
		}
		for _, visitor := range []string{"red-visitor-2", "newcomer-1"} {
			if !known(t, deaf, visitor) {
				t.Errorf("the version does not know %s, who was not erased", visitor)
			}
		}
		if n := get(t, newcomer(deaf, 0)); n.Strategy != "popular" {
			t.Errorf("an erased newcomer is answered by %s", n.Strategy)
		}
	})
	t.Run("an erasure alone is a reason to train", func(t *testing.T) { p.trainForAnErasure(t, trainer, one, two, deaf) })
	trainer.stop(t)
	t.Run("the versions are looked after", func(t *testing.T) { p.lookAfter(t, deaf) })
}

// trainForAnErasure has one more visitor forgotten, and waits until a version without him has taken the place of the one that knows him,
// though nothing else has happened.
func (p *pipeline) trainForAnErasure(t *testing.T, trainer *trainer, one, two, deaf string) {
	const visitor = "red-visitor-4"
	before := p.load(t, p.champion(t))
	if _, known := before.Visitors.Number(visitor); !known {
		t.Fatalf("%s is not known before the erasure", visitor)
	}
	erase(t, one, two, visitor)
	p.run(t, "consumer", "--idle-timeout", "3s") // which keeps the list of who was erased
	after := p.load(t, trainer.next(t, before.Manifest.Version))
	if _, known := after.Visitors.Number(visitor); known {
		t.Errorf("%s knows the erased visitor", after.Manifest.Version)
	}
	if old, now := before.Manifest, after.Manifest; now.Counts.Visitors != old.Counts.Visitors-1 || now.Counts.Erased != old.Counts.Erased+1 ||
		now.Counts.Events >= old.Counts.Events || !slices.Equal(now.Data.BatchFiles, old.Data.BatchFiles) {
		t.Errorf("before %+v of %v\nnow %+v of %v", old.Counts, old.Data.BatchFiles, now.Counts, now.Data.BatchFiles)
	}
	for deadline := time.Now().Add(time.Minute); known(t, deaf, visitor); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("an API that hears nothing of erasures knows %s a minute after the version without him", visitor)
		}
	}
}

// lookAfter takes the three versions through the program for them, while an API follows.
func (p *pipeline) lookAfter(t *testing.T, url string) {
	last := p.champion(t)
	var listed []struct {
		Version            string
		Champion, Previous bool
	}
	if err := json.Unmarshal([]byte(p.run(t, "models", "list", "--json")), &listed); err != nil {
		t.Fatal(err)
	}
	if len(listed) != 3 || listed[0].Version != last || !listed[0].Champion || !listed[1].Previous {
		t.Fatalf("%s is the champion; listed are %+v", last, listed)
	}
	before := listed[1].Version
	says := func(command string, words ...string) {
		t.Helper()
		told := p.run(t, "models", strings.Fields(command)...)
		for _, word := range words {
			if !strings.Contains(told, word) {
				t.Errorf("models %s does not tell %q:\n%s", command, word, told)
			}
		}
	}
	served := func(version string) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); get(t, url+"/v1/items/popular").ModelVersion != version; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s is not served after a minute", version)
			}
		}
	}
	says("compare "+before, "A: "+before, "B: "+last, "counts.erased_visitors")
	says("rollback", before+" is the champion now")
	served(before)
	says("activate "+last, last+" is the champion now", "rollback goes back to "+before)
	served(last)
	says("prune --keep 0 --yes", "1 of 3 removed") // the champion and the one before stay
}

// arrivedOnce holds what arrived against what was sent, field by field, whatever the order.
func arrivedOnce(t *testing.T, sent, arrived [][]string, want int) {
	t.Helper()
	ids := map[string]bool{}
	for _, row := range arrived {
		ids[row[5]] = true
	}
	if len(arrived) != want || len(ids) != want {
		t.Fatalf("%d rows with %d event ids arrived, %d were sent", len(arrived), len(ids), want)
	}
	key := func(row []string) string { return strings.Join(row[:4], ",") }
	missing := map[string]int{}
	for _, row := range sent {
		missing[key(row)]++
	}
	for _, row := range arrived {
		missing[key(row)]--
	}
	for k, n := range missing {
		if n != 0 {
			t.Errorf("%s: %d more sent than arrived", k, n)
		}
	}
}
