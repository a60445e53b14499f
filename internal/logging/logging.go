// Package logging sets up the structured log that every program writes to standard error. What is told, and how loudly, is
// the program's business.
package logging

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"cartwheel/internal/config"
)

// Config chooses what is logged and how.
type Config struct {
	Level  string // debug, info, warn, error
	Format string // text, json
}

// Declare adds --log-level and --log-format to a program's settings.
func (c *Config) Declare(s *config.Set) {
	s.StringVar(&c.Level, "log-level", "info", "least `severity` that is logged: debug, info, warn or error")
	s.Env("log-level", "LOG_LEVEL")
	s.StringVar(&c.Format, "log-format", "text", "log `format`: text or json")
	s.Env("log-format", "LOG_FORMAT")
}

// New returns the logger that c describes, or an error that wraps config.ErrUsage.
func (c Config) New(out io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(strings.ToUpper(c.Level))); err != nil {
		return nil, fmt.Errorf("%w: --log-level %q is none of debug, info, warn, error", config.ErrUsage, c.Level)
	}
	opts := &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey && len(groups) == 0 {
			a.Value = slog.StringValue(a.Value.Time().UTC().Format(time.RFC3339Nano))
		}
		return a
	}}
	switch c.Format {
	case "text":
		return slog.New(slog.NewTextHandler(out, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(out, opts)), nil
	}
	return nil, fmt.Errorf("%w: --log-format %q is neither text nor json", config.ErrUsage, c.Format)
}
