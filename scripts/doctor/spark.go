package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"cartwheel/internal/spark"
)

// taskWait is how long a cluster may take to run a task of nothing. Without a worker it would wait for ever.
const taskWait = 30 * time.Second

func checkSpark(ctx context.Context, s *settings, r *report) {
	session, err := spark.Connect(ctx, s.remote)
	if err != nil {
		r.tell(toDo, "spark", err.Error(), "make up starts one here, docker compose up -d another")
		return
	}
	defer func() { _ = session.Close() }() // an answer was had; what is left of the session ends within the hour
	if session.Version != sparkVersion {
		r.tell(toKnow, "spark", "version "+session.Version, "Cartwheel is tested with "+sparkVersion)
	} else {
		r.fine("spark", "version %s answers", session.Version)
	}
	working, cancel := context.WithTimeout(ctx, taskWait)
	defer cancel()
	err = runTask(working, session)
	workers := s.workers(ctx, session)
	switch {
	case errors.Is(working.Err(), context.DeadlineExceeded):
		r.tell(toDo, "workers", fmt.Sprintf("a task did not run within %s%s", taskWait, workers),
			"start workers (scripts/runtime status; docker compose ps), or wait if a training has them all")
	case err != nil:
		r.tell(toDo, "workers", fmt.Sprintf("a task failed: %v%s", err, workers), "see the log of Spark Connect: scripts/runtime logs spark-connect")
	default:
		r.fine("workers", "a task ran%s", workers)
	}
}

// runTask makes a worker do something.
func runTask(ctx context.Context, session *spark.Session) error {
	frame, err := session.Sql(ctx, "SELECT count(*) FROM range(0, 10, 1, 2)")
	if err == nil {
		_, err = frame.Collect(ctx)
	}
	return err
}

// workers tells how many executors there are, if Spark's web page can be asked.
func (s *settings) workers(ctx context.Context, session *spark.Session) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	port, err := session.Config().Get(ctx, "spark.ui.port")
	u, bad := url.Parse(s.remote)
	if err != nil || bad != nil {
		return ""
	}
	api := "http://" + net.JoinHostPort(u.Hostname(), port) + "/api/v1/applications"
	var apps []struct{ ID string }
	if get(ctx, api, &apps) != nil || len(apps) != 1 {
		return ""
	}
	var executors []struct {
		ID         string
		IsActive   bool
		TotalCores int
	}
	if get(ctx, api+"/"+apps[0].ID+"/executors", &executors) != nil {
		return ""
	}
	n, cores := 0, 0
	for _, e := range executors {
		if e.ID != "driver" && e.IsActive {
			n++
			cores += e.TotalCores
		}
	}
	return fmt.Sprintf(" (executors: %d, cores: %d)", n, cores)
}

func get(ctx context.Context, address string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	return json.NewDecoder(answer.Body).Decode(into)
}
