package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"cartwheel/internal/batch"
	"cartwheel/internal/event"
	"cartwheel/internal/kafka"
)

// found is what was in the topic and in the batch files.
type found struct {
	rows     int // of the batch files
	files    int
	lost     int // events that are in no batch file
	repeated int // rows whose event was met before, though it was sent once
	resent   int // rows whose event was met before, and was sent again after a refusal
	foreign  int // rows of events that nobody sent
	versions int
}

// count holds the batch files against what was sent: the posted events by their ids, the rows of the two files by what is in the topic,
// of which there must be as many as rows.
func (s *soak) count(r *requests) (*found, error) {
	client, err := s.kafka()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	topicIDs := map[string]bool{}
	if _, err := client.Scan(s.ctx, event.Topic, nil, func(_ int, record *kafka.Record) error {
		topicIDs[string(record.Header("eventid"))] = true
		return nil
	}); err != nil {
		return nil, fmt.Errorf("reading the topic: %w", err)
	}
	f := &found{}
	replayed := 0
	for id := range topicIDs {
		if !strings.HasPrefix(id, "soak-") {
			replayed++
		}
	}
	f.lost = (1+returns)*shopEvents - replayed // rows that never came into the topic
	for id := range r.ids {
		if !topicIDs[id] {
			f.lost++
		}
	}
	met := map[string]bool{}
	files, err := filepath.Glob(filepath.Join(s.data, batch.FolderName, "batch_*.csv"))
	if err != nil {
		return nil, err
	}
	f.files = len(files)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for i, line := range bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n")) {
			if i == 0 {
				continue
			}
			var e event.Event
			if err := event.ParseBatchRow(line, &e); err != nil {
				return nil, fmt.Errorf("%s, line %d: %w", file, i+1, err)
			}
			f.rows++
			id := strings.Clone(e.EventID)
			switch {
			case !topicIDs[id]:
				f.foreign++
			case met[id] && r.resent[id]:
				f.resent++
			case met[id]:
				f.repeated++
			}
			met[id] = true
		}
	}
	for id := range topicIDs {
		if !met[id] {
			f.lost++
		}
	}
	versions, err := filepath.Glob(filepath.Join(s.data, "models", "*", "manifest.json"))
	f.versions = len(versions)
	return f, err
}
