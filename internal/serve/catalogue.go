package serve

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cartwheel/internal/event"
	"cartwheel/internal/recommend"
)

// The files in DATA_DIR/catalogue.
const (
	unavailableName = "unavailable" // what cannot be had, one id a line
	rulesName       = "rules.json"  // {"boosts": {"items": {"85123A": 2}, "categories": {"1016": 0.5}}}
)

const (
	maxCatalogueBytes  = 64 << 20
	minBoost, maxBoost = 0.001, 1000
)

// catalogue follows the files in which a shop says what holds for its items whatever version is served. A file that is not there
// says nothing. One that is wrong is refused, and what the file said before still holds.
type catalogue struct {
	unavailable, boosts followed
	rules               recommend.Rules
	log                 *slog.Logger
	metrics             *metrics
}

func newCatalogue(dir string, log *slog.Logger, m *metrics) *catalogue {
	return &catalogue{unavailable: followed{path: filepath.Join(dir, unavailableName)}, boosts: followed{path: filepath.Join(dir, rulesName)}, log: log, metrics: m}
}

// check reads what has changed, and reports whether other rules hold now.
func (c *catalogue) check() bool {
	unavailable := c.read(&c.unavailable, func(data []byte) error {
		ids, err := parseUnavailable(data)
		if err == nil {
			c.rules.Unavailable = ids
		}
		return err
	})
	boosts := c.read(&c.boosts, func(data []byte) error {
		items, categories, err := parseBoosts(data)
		if err == nil {
			c.rules.ItemBoosts, c.rules.CategoryBoosts = items, categories
		}
		return err
	})
	return unavailable || boosts
}

// say tells what was read, once it holds.
func (c *catalogue) say() {
	for _, f := range []*followed{&c.unavailable, &c.boosts} {
		if f.unsaid {
			f.unsaid = false
			c.log.Info("catalogue file read", "file", f.path, "unavailable", len(c.rules.Unavailable), "item_boosts", len(c.rules.ItemBoosts),
				"category_boosts", len(c.rules.CategoryBoosts))
		}
	}
}

func (c *catalogue) read(f *followed, parse func([]byte) error) bool {
	data, changed, err := f.look()
	if !changed {
		return false
	}
	if err == nil {
		err = parse(data)
	}
	if err != nil {
		c.metrics.rulesRefused.Inc()
		c.log.Error("catalogue file refused; what it said before still holds", "file", f.path, "error", err)
		return false
	}
	f.unsaid = true
	return true
}

// followed is a file that others write.
type followed struct {
	path    string
	written time.Time // zero for a file that is not there
	bytes   int64
	unsaid  bool // what was read from it is not told yet
}

// look returns what is in the file if it was written since the last look; nil if the file has gone.
func (f *followed) look() (data []byte, changed bool, err error) {
	info, err := os.Stat(f.path)
	was := *f
	switch {
	case err == nil:
		f.written, f.bytes = info.ModTime(), info.Size()
	case errors.Is(err, fs.ErrNotExist):
		f.written, f.bytes, err = time.Time{}, 0, nil
	default:
		f.written, f.bytes = time.Time{}, -1
	}
	switch {
	case f.written.Equal(was.written) && f.bytes == was.bytes:
		return nil, false, nil
	case err != nil:
		return nil, true, err
	case f.written.IsZero():
		return nil, true, nil
	case !info.Mode().IsRegular():
		return nil, true, errors.New("not a regular file")
	case f.bytes > maxCatalogueBytes:
		return nil, true, fmt.Errorf("it has %d bytes, more than %d", f.bytes, maxCatalogueBytes)
	}
	file, err := os.Open(f.path)
	if err != nil {
		return nil, true, err
	}
	defer file.Close()
	data, err = io.ReadAll(io.LimitReader(file, maxCatalogueBytes))
	return data, true, err
}

func parseUnavailable(data []byte) (map[string]struct{}, error) {
	ids := map[string]struct{}{}
	number := 0
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // spreadsheets begin a file with it; the first item would not be found
	for line := range strings.Lines(string(data)) {
		number++
		id := strings.TrimRight(line, "\r\n")
		if id == "" {
			continue
		}
		if err := event.ValidateID("itemid", id); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		ids[id] = struct{}{}
	}
	return ids, nil
}

func parseBoosts(data []byte) (items, categories map[string]float64, err error) {
	if data == nil { // there is no file; one that is empty may be in the making
		return nil, nil, nil
	}
	var rules struct {
		Boosts struct {
			Items      map[string]float64 `json:"items"`
			Categories map[string]float64 `json:"categories"`
		} `json:"boosts"`
	}
	if bad := decodeJSON(data, &rules); bad != nil {
		return nil, nil, errors.New(strings.Replace(bad.detail, "the body", "the file", 1))
	}
	for kind, boosts := range map[string]map[string]float64{"itemid": rules.Boosts.Items, "category": rules.Boosts.Categories} {
		for id, boost := range boosts {
			if err := event.ValidateID(kind, id); err != nil {
				return nil, nil, err
			}
			if !(boost >= minBoost && boost <= maxBoost) {
				return nil, nil, fmt.Errorf("the boost of %s %s is %v, not between %v and %v", kind, show(id), boost, minBoost, maxBoost)
			}
		}
	}
	return rules.Boosts.Items, rules.Boosts.Categories, nil
}
