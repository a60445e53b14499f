package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"cartwheel/internal/event"
	"cartwheel/internal/ingest"
)

// resubmitFile sends what an export holds after it was corrected, and takes the whole box as dealt with.
func (b *box) resubmitFile(ctx context.Context, path string, out io.Writer) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading the corrected letters: %w", err)
	}
	letters, err := decodeLetters(data)
	if err != nil {
		return fmt.Errorf("reading the corrected letters: %s: %w", path, err)
	}
	_, next, err := b.read(ctx)
	if err != nil {
		return err
	}
	if err := b.send(ctx, letters, out); err != nil {
		return err
	}
	if len(next) == 0 {
		return nil
	}
	return b.client.Commit(ctx, b.group(), b.dead, next)
}

// resubmitRejects sends the rows of a rejects file after they were corrected, under the ids of their source and lines.
func (b *box) resubmitRejects(ctx context.Context, path, sourcePath string, out io.Writer) error {
	if sourcePath == "" {
		sourcePath = strings.TrimSuffix(path, ".rejects.csv")
	}
	source, layout, err := ingest.Identify(sourcePath)
	if err != nil {
		return fmt.Errorf("%w (--source names the file that the rows came from)", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("reading the rejects: %w", err)
	}
	defer f.Close()
	rows, err := csv.NewReader(bufio.NewReader(f)).ReadAll()
	if err != nil {
		return fmt.Errorf("reading the rejects: %s: %w", path, err)
	}
	if len(rows) == 0 || strings.Join(rows[0], ",") != ingest.RejectsHeader {
		return fmt.Errorf("reading the rejects: %s does not begin with %s", path, ingest.RejectsHeader)
	}
	events := make([]event.Event, len(rows)-1)
	var wrong []error
	for i, r := range rows[1:] {
		line, err := strconv.ParseInt(r[0], 10, 64)
		if err == nil {
			row := []byte(r[2])
			if err = layout.ParseRow(row, &events[i]); err == nil {
				events[i].EventID = string(source.AppendID(nil, line, row))
			}
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("line %s: %w", r[0], err))
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("nothing was sent: %d of %d rows are still not valid; correct the column row in %s, or delete them there\n%w",
			len(wrong), len(events), path, errors.Join(wrong[:min(len(wrong), 10)]...))
	}
	if err := b.produce(ctx, events); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d sent to %s; %s can be removed now\n", len(events), b.topic, path)
	return nil
}
