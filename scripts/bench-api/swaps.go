package main

import (
	"bytes"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"cartwheel/internal/model"
	"cartwheel/scripts/internal/page"
)

// swapEvery is how often the champion is to change; where a load takes longer, it changes with each load.
const swapEvery = 2 * time.Second

// swaps measures what requests feel of it when the champion changes again and again, at the size of all of RetailRocket: the same
// requests, at the same rate, of the same process, first with nothing else to do for it and then with loads beside them.
func (b *bench) swaps() (*page.Page, error) {
	p := page.New("Champions that change under load, measured", "make bench-swaps", b.load)
	const perSecond = 500
	data := filepath.Join(b.dir, "data")
	names := []string{"one", "other"}
	var requests []request
	var visitors, items int
	for i := len(names) - 1; i >= 0; i-- { // so that the first is the champion
		s := newShop(everything, names[i], uint64(i)+1)
		s.write(data, "")
		visitors, items = len(s.spec.Visitors), len(s.spec.Items)
		if requests == nil {
			for range 5000 {
				requests = append(requests, request{path: "/v1/visitors/" + s.visitor() + "/recommendations"},
					request{path: "/v1/items/" + s.spec.Items[s.item()] + "/similar"})
			}
		}
	}
	rows := []page.Row{{Name: "steady: p50, ms", Format: "%.2f"}, {Name: "steady: p99, ms", Format: "%.2f"}, {Name: "steady: longest, ms", Format: "%.1f"},
		{Name: "with changes: p50, ms", Format: "%.2f"}, {Name: "with changes: p99, ms", Format: "%.2f"}, {Name: "with changes: longest, ms", Format: "%.1f"},
		{Name: "p99 with changes, of the steady one", Format: "%.2f"}, {Name: "changes", Format: "%.0f"}, {Name: "a load beside requests, seconds", Format: "%.1f"},
		{Name: "the first load, seconds", Format: "%.1f"}, {Name: "answers, all of them 200 and as their version's are", Format: "%.0f"},
		{Name: "resident before the changes, MB", Format: "%.0f"}, {Name: "resident after them, MB", Format: "%.0f"}, {Name: "resident after, of before", Format: "%.2f"},
		{Name: "resident at the peak, MB", Format: "%.0f"}}
	for range min(3, b.rounds) {
		values, err := b.swapping(data, names, perSecond, requests)
		if err != nil {
			return nil, err
		}
		for i, v := range values {
			rows[i].Values = append(rows[i].Values, v)
		}
	}
	p.Section("Two versions in turn", fmt.Sprintf(`%d visitors and %d items x %d, as in "Loading a large version" of `+"`make bench-serve`"+`, two such versions. %d requests a second (open loop, vegeta), visitors and
similar items by turns, for %s while nothing else happens, then for %s while the champion changes every %s, or as often as a load is done. Every answer of both is
held to the byte against what its version answered when nothing else went on, so none mixes two versions; one that is not so, or not 200, ends the benchmark.`,
		visitors, items, rank, perSecond, b.span/2, b.span, swapEvery))
	p.Table(rows)
	return p, nil
}

// swapping is one round, in a process of its own. The values are those of the rows.
func (b *bench) swapping(data string, names []string, perSecond int, requests []request) ([]float64, error) {
	models := filepath.Join(data, "models")
	if err := model.SetChampion(models, names[0]); err != nil {
		return nil, err
	}
	api, err := b.api(data)
	if err != nil {
		return nil, err
	}
	defer api.stop()
	first := api.loading
	time.Sleep(settled)
	before, _, err := api.memory()
	if err != nil {
		return nil, err
	}

	change := func(to string) (seconds float64, err error) {
		if err := model.SetChampion(models, to); err != nil {
			return 0, err
		}
		line, err := api.wait("champion loaded")
		if err == nil && line["version"] != to {
			err = fmt.Errorf("the champion is %s, and %v is served", to, line["version"])
		}
		if err != nil {
			return 0, err
		}
		return line["seconds"].(float64), nil
	}
	said := map[string]map[string][]byte{} // by version and path
	for _, name := range []string{names[1], names[0]} {
		if _, err := change(name); err != nil {
			return nil, err
		}
		if said[name], err = askEach(api.addr, requests); err != nil {
			return nil, err
		}
	}
	for path, answer := range said[names[0]] {
		if bytes.Equal(bytes.ReplaceAll(answer, []byte(names[0]), []byte(names[1])), said[names[1]][path]) && bytes.Contains(answer, []byte("itemid")) {
			return nil, fmt.Errorf("both versions answer %s alike: %s", path, answer)
		}
	}
	sound := func(r *vegeta.Result) error {
		version := r.Headers.Get("X-Model-Version")
		if want := said[version][strings.TrimPrefix(r.URL, "http://"+api.addr)]; r.Code != http.StatusOK || !bytes.Equal(r.Body, want) {
			return fmt.Errorf("%s is answered with %d by version %q, %s: %.500s, and not as by that version alone: %.500s", r.URL, r.Code, version, r.Error, r.Body, want)
		}
		return nil
	}
	time.Sleep(settled)

	steady, err := openLoop(api.addr, perSecond, b.span/2, nil, requests, sound)
	if err != nil {
		return nil, err
	}
	var (
		changes int
		loading float64
		done    = make(chan struct{})
		changed = make(chan error, 1)
	)
	go func() {
		defer close(done)
		for until := time.Now().Add(b.span); time.Now().Before(until); changes++ {
			begun := time.Now()
			seconds, err := change(names[(changes+1)%len(names)])
			if err != nil {
				changed <- err
				return
			}
			loading += seconds
			time.Sleep(time.Until(begun.Add(swapEvery)))
		}
		changed <- nil
	}()
	moving, err := openLoop(api.addr, perSecond, 0, done, requests, sound)
	if err != nil {
		return nil, err
	}
	if err := <-changed; err != nil {
		return nil, err
	}
	time.Sleep(settled)
	after, peak, err := api.memory()
	if err != nil {
		return nil, err
	}
	return []float64{steady.p50, steady.p99, steady.longest, moving.p50, moving.p99, moving.longest, moving.p99 / steady.p99, float64(changes),
		loading / float64(changes), first, float64(steady.answers + moving.answers), before / 1e6, after / 1e6, after / before, peak / 1e6}, nil
}

// askEach asks everything once, and returns the answers by path.
func askEach(addr string, requests []request) (map[string][]byte, error) {
	c, err := dial(addr)
	if err != nil {
		return nil, err
	}
	defer c.Conn.Close()
	all := map[string][]byte{}
	for _, r := range requests {
		if err := c.roundTrip(r.bytes()); err != nil {
			return nil, fmt.Errorf("%s: %w", r.path, err)
		}
		all[r.path] = bytes.Clone(c.body)
	}
	return all, nil
}
