package serve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"cartwheel/internal/event"
	"cartwheel/internal/live"
	"cartwheel/internal/model"
	"cartwheel/internal/purchase"
	"cartwheel/internal/recommend"
	"cartwheel/internal/segment"
)

// served is a version in use. Requests take it once and keep it to their end, so that none mixes two versions.
type served struct {
	*recommend.Recommender // by the shop's rules
	plain                  *recommend.Recommender
	version                string
	manifest               *model.Manifest
	loading                time.Duration
	live                   *live.Feed // what has come since; nil without a broker
	fresh                  newEvents

	visitors                 *model.IDs
	profiles, recentProfiles *model.Profiles   // nil if the version has none
	purchases                *purchase.Scorer  // likewise
	segments                 *segment.Assigner // likewise
}

// champion follows LATEST: it loads the version that is named there beside the one in use, and swaps when all of it is sound.
type champion struct {
	dir     string
	log     *slog.Logger
	metrics *metrics
	shop    *catalogue // what holds for every version
	live    *live.Feed // nil without a broker
	current atomic.Pointer[served]
	fault   atomic.Pointer[string] // why the champion is not served, for people who ask /readyz
	mu      sync.Mutex             // one change of champion at a time
	tried   attempt                // what was refused
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
		c.checkRules()
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
	c.mu.Lock()
	defer c.mu.Unlock()
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
	var next *served
	if err == nil {
		next, err = c.load(name)
	}
	if err == nil {
		c.tried = attempt{}
		c.swap(next)
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

// checkRules brings what is served to the rules that the shop's files hold now.
func (c *champion) checkRules() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.shop.check() {
		return
	}
	if now := c.current.Load(); now != nil {
		next := *now
		next.Recommender = now.plain.WithRules(c.shop.rules)
		c.current.Store(&next)
	}
	c.shop.say()
}

// activate makes a version the champion: served here first, so that LATEST never names what no server would serve. It returns
// what was served before.
func (c *champion) activate(name string) (previous *string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.current.Load(); now != nil {
		previous = &now.version
	}
	next := c.current.Load()
	if next == nil || next.version != name {
		if next, err = c.load(name); err != nil {
			return nil, err
		}
	}
	if err := model.SetChampion(c.dir, name); err != nil {
		return nil, err
	}
	if next != c.current.Load() {
		c.swap(next)
	}
	return previous, nil
}

func (c *champion) load(name string) (*served, error) {
	begun := time.Now()
	dir := filepath.Join(c.dir, name)
	var next *served
	var err error
	if c.current.Load() == nil {
		next, err = load(dir, model.AtOnce)
	} else {
		aside(func() { next, err = load(dir, model.Gently) })
	}
	if err != nil {
		return nil, err
	}
	next.live = c.live
	next.Recommender = next.plain.WithRules(c.shop.rules)
	if c.current.Load() == nil {
		err = next.warm()
	} else {
		aside(func() { err = next.warm() })
	}
	if err != nil {
		return nil, err
	}
	next.loading = time.Since(begun)
	return next, nil
}

// warm has a version answer some questions of each kind before it is served: the first answers touch memory that no processor has seen
// yet, and take many times as long. A version that breaks down over them is refused.
func (v *served) warm() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %s breaks down over an answer: %v", model.ErrBadVersion, v.version, p)
		}
	}()
	const questions = 32
	for i := range min(questions, v.visitors.Len()) {
		id := v.visitors.Name(int32(i * v.visitors.Len() / questions))
		v.Visitor(id, recommend.Options{Limit: defaultLimit})
	}
	popular, _ := v.Popular(model.PopularAll, recommend.Options{Limit: questions})
	for _, item := range popular.Items {
		v.Session([]recommend.Click{{ItemID: item.ID, Event: event.View}}, recommend.Options{Limit: defaultLimit, IncludeSeen: true})
		v.SimilarByVisits(item.ID, recommend.Options{Limit: defaultLimit})
		v.Similar(item.ID, recommend.Options{Limit: defaultLimit})
	}
	return nil
}

// Check says what would keep a server from serving the version in dir. Errors wrap model.ErrBadVersion.
func Check(dir string) error {
	_, err := load(dir, model.AtOnce)
	return err
}

// load reads all that is served of the version in dir, without what holds for every version.
func load(dir string, pace model.Pace) (*served, error) {
	v, err := model.LoadAt(pace, dir)
	if err != nil {
		return nil, err
	}
	next := &served{plain: recommend.New(v), version: v.Manifest.Version, manifest: v.Manifest, fresh: newEventsOf(v.Manifest),
		visitors: v.Visitors, profiles: v.Profiles, recentProfiles: v.RecentProfiles}
	if p := v.Manifest.Purchase; p != nil && p.Model != "" {
		if next.purchases, err = purchase.Load(dir, p); err != nil {
			return nil, err
		}
	}
	if s := v.Manifest.Segments; s != nil && s.None == "" {
		if next.segments, err = segment.Load(dir, s); err != nil {
			return nil, err
		}
	}
	return next, nil
}

func (c *champion) swap(next *served) {
	c.current.Store(next)
	c.explain("")
	c.metrics.swapped(next)
	c.log.Info("champion loaded", "version", next.version, "visitors", next.Visitors(), "items", next.Items(),
		"rank", next.manifest.Parameters.Rank, "seconds", next.loading.Seconds())
	aside(settleMemory)
}

func (c *champion) explain(fault string) {
	if fault == "" {
		c.fault.Store(nil)
		return
	}
	c.fault.Store(&fault)
}
