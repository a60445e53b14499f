package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"cartwheel/internal/durable"
	"cartwheel/internal/spark"
)

// sessionFile, in the models folder, names the Spark session of the training that holds the folder's lock.
const sessionFile = ".session"

// connect opens the training's session. What it was doing when it was killed runs on at the server, and writes into folders that the
// next training has cleared; so it is noted down, and a session that was left is ended first. close releases the session.
func connect(ctx context.Context, remote, modelsDir string, log *slog.Logger) (session *spark.Session, close func(), err error) {
	note := filepath.Join(modelsDir, sessionFile)
	left, err := os.ReadFile(note)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("looking for a session that was left: %w", err)
	}
	if session, err = spark.Connect(ctx, remote); err != nil {
		return nil, nil, err
	}
	close = func() {
		if err := session.Close(); err != nil {
			log.Warn("the Spark session could not be released; the server drops it within the hour", "error", err)
		}
		_ = os.Remove(note) // a session that has ended may be ended again
	}
	if len(left) > 0 {
		if err := session.Evict(ctx, string(left)); err != nil {
			log.Warn("the Spark session of a training that was killed could not be ended", "error", err)
		}
	}
	err = durable.WriteFile(note, func(w io.Writer) error {
		_, err := io.WriteString(w, session.ID())
		return err
	})
	if err != nil {
		close()
		return nil, nil, fmt.Errorf("noting down the Spark session: %w", err)
	}
	return session, close, nil
}
