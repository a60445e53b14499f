package sparkml

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"

	"cartwheel/internal/spark"
)

// Cached is a model or summary in the session's cache on the server.
type Cached struct {
	ID    string
	Class string // such as "org.apache.spark.ml.clustering.KMeansModel"
	Bytes int64  // the server's estimate; 0 of a summary, and where the server keeps no account
}

// CacheInfo lists what the session has in the server's cache.
func CacheInfo(ctx context.Context, s *spark.Session) ([]Cached, error) {
	result, err := command(ctx, s, fields{"getCacheInfo": fields{}})
	if err != nil {
		return nil, fmt.Errorf("asking for the cache's contents: %w", err)
	}
	var l literal
	if err := json.Unmarshal(result.Param, &l); err != nil {
		return nil, fmt.Errorf("reading the cache's contents: %w", err)
	}
	lines, ok := asArray(asString)(l)
	if !ok {
		return nil, fmt.Errorf("reading the cache's contents: the server answered %.200s", result.Param)
	}
	list := make([]Cached, len(lines))
	for i, line := range lines {
		if list[i], err = parseCached(line); err != nil {
			return nil, err
		}
	}
	return list, nil
}

var cachedLine = regexp.MustCompile(`^id: (\S+), obj: class (\S+), size: (\d+)$`)

func parseCached(line string) (Cached, error) {
	m := cachedLine.FindStringSubmatch(line)
	if m == nil {
		return Cached{}, fmt.Errorf("reading the cache's contents: %q is of another form than expected", line)
	}
	bytes, err := strconv.ParseInt(m[3], 10, 64)
	if err != nil {
		return Cached{}, fmt.Errorf("reading the cache's contents: the size in %q: %w", line, err)
	}
	return Cached{ID: m[1], Class: m[2], Bytes: bytes}, nil
}

// CleanCache frees all of the session's models and summaries on the server, and tells how many there were. No handle works afterwards.
func CleanCache(ctx context.Context, s *spark.Session) (int, error) {
	result, err := command(ctx, s, fields{"cleanCache": fields{}})
	if err != nil {
		return 0, fmt.Errorf("cleaning the cache: %w", err)
	}
	var l literal
	if err := json.Unmarshal(result.Param, &l); err != nil || l.Integer == nil {
		return 0, fmt.Errorf("cleaning the cache: the server answered %.200s", result.Param)
	}
	return *l.Integer, nil
}
