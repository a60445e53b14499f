package serve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync/atomic"
	"time"

	"cartwheel/internal/model"
	"cartwheel/internal/recommend"
)

// served is a version in use. Requests take it once and keep it to their end, so that none mixes two versions.
type served struct {
	*recommend.Recommender
	version  string
	manifest *model.Manifest
	loadedAt time.Time
}

// champion follows LATEST: it loads the version that is named there beside the one in use, and swaps when all of it is sound.
type champion struct {
	dir     string
	log     *slog.Logger
	metrics *metrics
	current atomic.Pointer[served]
	fault   atomic.Pointer[string] // why the champion is not served, for people who ask /readyz
	tried   attempt                // what was refused; used by one goroutine
}

// attempt tells one writing of LATEST from the next. A version never changes, so what was refused is tried again only when
// somebody has written LATEST anew.
type attempt struct {
	name    string
	written time.Time
}

// watch looks at LATEST now and then until ctx is done. A poll works on every file system, network ones too.
func (c *champion) watch(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		c.check()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// check brings the server to what LATEST says, or keeps it where it is and says why.
func (c *champion) check() {
	name, err := model.Champion(c.dir)
	if errors.Is(err, fs.ErrNotExist) && c.current.Load() == nil {
		c.explain(fmt.Sprintf("no version was trained yet: %s does not exist", filepath.Join(c.dir, model.LatestName)))
		return
	}
	if now := c.current.Load(); err == nil && now != nil && now.version == name {
		c.explain("")
		c.tried = attempt{}
		return
	}
	try := attempt{name: name}
	if info, err := os.Stat(filepath.Join(c.dir, model.LatestName)); err == nil {
		try.written = info.ModTime()
	}
	if c.tried == try {
		return
	}
	if err == nil {
		err = c.load(name)
	}
	if err == nil {
		c.tried = attempt{}
		return
	}
	c.tried = try
	c.explain(err.Error())
	c.metrics.refused.Inc()
	serving := "none"
	if now := c.current.Load(); now != nil {
		serving = now.version
	}
	c.log.Error("champion refused", "version", name, "error", err, "serving", serving)
}

func (c *champion) load(name string) error {
	begun := time.Now()
	v, err := model.Load(filepath.Join(c.dir, name))
	if err != nil {
		return err
	}
	next := &served{Recommender: recommend.New(v), version: name, manifest: v.Manifest, loadedAt: begun.UTC()}
	c.current.Store(next)
	c.explain("")
	took := time.Since(begun)
	c.metrics.swapped(next, took)
	c.log.Info("champion loaded", "version", name, "visitors", next.Visitors(), "items", next.Items(), "rank", v.Factors.Rank,
		"seconds", took.Seconds())
	// What loading needed, and the version before, may be most of the memory: give it back now rather than when the next request
	// happens to need some.
	debug.FreeOSMemory()
	return nil
}

func (c *champion) explain(fault string) {
	if fault == "" {
		c.fault.Store(nil)
		return
	}
	c.fault.Store(&fault)
}
