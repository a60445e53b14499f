//go:build integration

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
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

// until waits until a visitor's answer is by a strategy.
func until(t *testing.T, url, strategy string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); get(t, url).Strategy != strategy; {
		if time.Now().After(deadline) {
			t.Fatalf("%s is still answered by %s, not %s", url, get(t, url).Strategy, strategy)
		}
	}
}

// newcomers come while the APIs run. They are fewer than a thousandth of the events, so that the shop's own clock still tells the time.
const newcomers = 20

func newcomer(url string, i int) string {
	return fmt.Sprintf("%s/v1/visitors/newcomer-%d/recommendations?limit=5&seen=include", url, i)
}

// comeToBeKnown posts an event of each newcomer to one API, and waits until another answers by it. It returns the events' ids.
func comeToBeKnown(t *testing.T, one, two string) (ids []string) {
	t.Helper()
	until(t, newcomer(two, 0), "popular")
	for deadline := time.Now().Add(time.Minute); ; { // an API that has just started may not have found Kafka yet
		response, err := http.Post(one+"/v1/events", "application/json", strings.NewReader(`{"visitorid":"warm-up","event":"view","itemid":"blue-1"}`))
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode == http.StatusAccepted {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the API takes no events: %s", response.Status)
		}
	}
	until(t, two+"/v1/visitors/warm-up/recommendations", "session")
	var took []time.Duration
	for i := range newcomers {
		begun := time.Now()
		ids = append(ids, post(t, one, fmt.Sprintf(`{"visitorid":"newcomer-%d","event":"view","itemid":"red-%d"}`, i, i%12))...)
		until(t, newcomer(two, i), "session")
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	t.Logf("from POST to changed recommendations on another API: median %s, at most %s", took[len(took)/2], took[len(took)-1])
	return ids
}

// erased are a visitor of the first version and one who came since.
var erased = []string{"red-visitor-0", "newcomer-0"}

// erase has visitors forgotten by one API, and waits until another one has forgotten them, too.
func erase(t *testing.T, one, two string, visitors ...string) {
	t.Helper()
	for _, visitor := range visitors {
		if !known(t, two, visitor) {
			t.Fatalf("%s is not known before the erasure", visitor)
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, one+"/v1/visitors/"+visitor, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusNoContent {
			t.Fatalf("erasing %s: %s", visitor, response.Status)
		}
		for deadline := time.Now().Add(time.Minute); known(t, two, visitor); {
			if time.Now().After(deadline) {
				t.Fatalf("%s is still known after a minute", visitor)
			}
		}
	}
}

// known asks an API whether it knows anything of a visitor.
func known(t *testing.T, url, visitor string) bool {
	t.Helper()
	response, err := http.Get(url + "/v1/visitors/" + visitor)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusNotFound {
		t.Fatalf("asking for %s: %s", visitor, response.Status)
	}
	return response.StatusCode == http.StatusOK
}
