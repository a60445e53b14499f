package ingest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"cartwheel/internal/durable"
)

// checkpoint says up to where a source is acknowledged or rejected. It is kept beside the source while a run is not finished.
type checkpoint struct {
	Source   string   `json:"source"` // its identity
	Topic    string   `json:"topic"`
	Position position `json:"position"`
	Rejects  int64    `json:"rejects_bytes"` // length of the rejects file at that position
}

// checkpointEvery bounds how much is sent again after a crash.
const checkpointEvery = time.Second

// checkpointer keeps the checkpoint file.
type checkpointer struct {
	path    string
	must    bool // a checkpoint that cannot be written is an error
	log     *slog.Logger
	rejects *rejects
	state   checkpoint
	written time.Time
	off     bool
}

// begin takes up the checkpoint of an earlier run, or clears away what that run left.
func (c *checkpointer) begin(resume bool, lines *lineReader) error {
	c.written = time.Now()
	data, err := os.ReadFile(c.path)
	found := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the checkpoint: %w", err)
	}
	if !resume {
		if found && c.log != nil {
			c.log.Warn("an interrupted run can be resumed, but --resume was not given: starting at the beginning", "checkpoint", c.path)
		}
		return c.rejects.begin(0)
	}
	if !found {
		return c.rejects.begin(0)
	}
	var old checkpoint
	if err := json.Unmarshal(data, &old); err != nil {
		return fmt.Errorf("the checkpoint %s cannot be read: %w (remove it to start at the beginning)", c.path, err)
	}
	switch {
	case old.Source != c.state.Source:
		return fmt.Errorf("the checkpoint %s belongs to another source: its header or first row differ (remove it to start at the beginning, or name another with --checkpoint)", c.path)
	case old.Topic != c.state.Topic:
		return fmt.Errorf("the checkpoint %s belongs to topic %s, not %s (remove it to start at the beginning, or name another with --checkpoint)", c.path, old.Topic, c.state.Topic)
	}
	if err := lines.skipTo(old.Position); err != nil {
		return fmt.Errorf("resuming by %s: %w", c.path, err)
	}
	c.state = old
	return c.rejects.begin(old.Rejects)
}

// reached notes that everything before p is acknowledged or in the rejects file, and writes that down now and then.
func (c *checkpointer) reached(p position, rejects int64) (wrote bool, err error) {
	c.state.Position, c.state.Rejects = p, rejects
	if time.Since(c.written) < checkpointEvery {
		return false, nil
	}
	return true, c.write()
}

func (c *checkpointer) write() error {
	c.written = time.Now()
	if c.off {
		return nil
	}
	err := c.rejects.sync()
	if err == nil {
		err = durable.WriteFile(c.path, func(w io.Writer) error { return json.NewEncoder(w).Encode(c.state) })
	}
	if err == nil {
		return nil
	}
	if c.must {
		return fmt.Errorf("writing the checkpoint: %w (--checkpoint names another place)", err)
	}
	c.off = true
	if c.log != nil {
		c.log.Warn("this run cannot be resumed: no checkpoint can be written (--checkpoint names another place)", "error", err)
	}
	return nil
}

// finish removes the checkpoint of a run that is through.
func (c *checkpointer) finish() error {
	if err := os.Remove(c.path); err != nil && !errors.Is(err, fs.ErrNotExist) && !c.off {
		return fmt.Errorf("removing the checkpoint: %w", err)
	}
	return nil
}
