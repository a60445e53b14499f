//go:build integration

package scripts_test

import (
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestDriverHasTheMemoryItIsGiven: Spark starts its Connect server as a daemon, whose memory replaces spark.driver.memory unless it is
// told otherwise; a driver of a daemon's 512 MB trains on a sample and fails on a shop.
func TestDriverHasTheMemoryItIsGiven(t *testing.T) {
	port := os.Getenv("RUNTIME_SPARK_APP_UI_PORT")
	if port == "" {
		t.Fatal("RUNTIME_SPARK_APP_UI_PORT is not set: scripts/test sets it")
	}
	ask := func(path string, into any) {
		t.Helper()
		resp, err := http.Get("http://127.0.0.1:" + port + "/api/v1/applications" + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
			t.Fatalf("%s: %s: %v", path, resp.Status, err)
		}
	}
	var applications []struct{ ID string }
	ask("", &applications)
	if len(applications) != 1 {
		t.Fatalf("%d applications on the page, want one", len(applications))
	}
	app := "/" + applications[0].ID
	var environment struct{ SparkProperties [][2]string }
	ask(app+"/environment", &environment)
	at := slices.IndexFunc(environment.SparkProperties, func(p [2]string) bool { return p[0] == "spark.driver.memory" })
	if at < 0 {
		t.Fatal("spark.driver.memory is not set")
	}
	given, err := strconv.ParseInt(strings.TrimSuffix(environment.SparkProperties[at][1], "m"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	var executors []struct {
		ID        string
		MaxMemory int64 // what storage may use: 0.6 of the heap but for 300 MB of it
	}
	ask(app+"/executors", &executors)
	for _, e := range executors {
		if e.ID == "driver" {
			if want := (given - 300) * 1 << 20 / 2; e.MaxMemory < want {
				t.Errorf("the driver has %d MB for storage, want at least %d MB of a heap of %d MB", e.MaxMemory>>20, want>>20, given)
			}
			return
		}
	}
	t.Error("no driver among the executors")
}
