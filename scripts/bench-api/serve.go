package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"

	"cartwheel/scripts/internal/figure"
	"cartwheel/scripts/internal/page"
)

// many is how many visitors one request may ask for.
const many = 1000

// serve measures what is asked about visitors and items.
func (b *bench) serve() (*page.Page, error) {
	p := page.New("Serving, measured", "make bench-serve", b.load)
	api, err := b.api(filepath.Join(b.dir, "data"))
	if err != nil {
		return nil, err
	}
	defer api.stop()
	alone, err := b.api(filepath.Join(b.dir, "alone"))
	if err != nil {
		return nil, err
	}
	defer alone.stop()
	visitors, similar, factors := make([]request, 5000), make([]request, 5000), make([]request, 5000)
	for i := range visitors {
		item := "/v1/items/" + b.shop.spec.Items[b.shop.item()] + "/similar"
		visitors[i] = request{path: "/v1/visitors/" + b.shop.visitor() + "/recommendations"}
		similar[i], factors[i] = request{path: item}, request{path: item + "?by=factors"}
	}
	batches := make([]request, 20)
	for i := range batches {
		var ids []string
		for range many {
			ids = append(ids, b.shop.visitor())
		}
		batches[i] = request{path: "/v1/visitors/recommendations", body: `{"visitorids":["` + strings.Join(ids, `","`) + `"]}`}
	}
	compared, err := b.compare(visitors, []asked{{"a visitor, by factors alone", alone, visitors}, {"a visitor, by a blend", api, visitors},
		{"popular", api, []request{{path: "/v1/items/popular"}}}, {"similar items, by visits", api, similar}, {"similar items, by factors", api, factors}})
	if err != nil {
		return nil, err
	}
	open, err := b.open(api, visitors)
	if err != nil {
		return nil, err
	}
	rate := page.Row{Name: "visitors/s in batches of 1,000", Format: "%.0f"}
	for range b.rounds {
		f, err := closedLoop(api.addr, b.span, batches)
		if err != nil {
			return nil, err
		}
		rate.Values = append(rate.Values, f.rate*many)
	}
	p.Section("Over HTTP", fmt.Sprintf(`The API, a gin handler that gives a fixed answer of the same length, and the load share the machine. The version: %d visitors, %d items,
rank %d, made like one that was trained on RetailRocket's events. 10 items are asked for, and none that the visitor has touched; "by a blend" weighs factors, what is seen
together, what is so of late, and popularity, as a training on those events has chosen. 8 connections, each of which waits for its answer, %s for each figure; the fixed
answer is measured in every round, and "of the fixed" compares with that of the same round.`, len(b.shop.spec.Visitors), len(b.shop.spec.Items), rank, b.span))
	p.Table(append(append(compared, open...), rate))
	if err := rates(p, "serve", compared); err != nil {
		return nil, err
	}

	search, err := b.search()
	if err != nil {
		return nil, err
	}
	p.Section("The search alone", fmt.Sprintf("`go test -bench Top ./internal/recommend`, %d goroutines, top 10 with 20 items kept out, rank %d: exact answers a second.", runtime.GOMAXPROCS(0), rank))
	p.Table(search)
	if b.large {
		return p, b.loading(p)
	}
	return p, nil
}

func (s *shop) visitor() string { return s.spec.Visitors[s.dice.IntN(len(s.spec.Visitors))] }

// asked is a kind of question.
type asked struct {
	name     string
	of       *process
	requests []request
}

// compare measures each kind of question in turn with the fixed answer, in as many rounds as are wanted.
func (b *bench) compare(usual []request, questions []asked) (rows []page.Row, err error) {
	answer, err := ask(questions[0].of.addr, usual[0])
	if err != nil {
		return nil, err
	}
	fixed, err := b.fixedAnswer(answer)
	if err != nil {
		return nil, err
	}
	defer fixed.stop()
	rows = []page.Row{{Name: "fixed answer, requests/s", Format: "%.0f"}}
	for _, q := range questions {
		rows = append(rows, page.Row{Name: q.name + ", requests/s", Format: "%.0f"}, page.Row{Name: q.name + ", of the fixed", Format: "%.2f"},
			page.Row{Name: q.name + ", p99, ms", Format: "%.2f"})
	}
	for range b.rounds {
		base, err := closedLoop(fixed.addr, b.span, usual)
		if err != nil {
			return nil, err
		}
		rows[0].Values = append(rows[0].Values, base.rate)
		for i, q := range questions {
			f, err := closedLoop(q.of.addr, b.span, q.requests)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", q.name, err)
			}
			for j, v := range []float64{f.rate, f.rate / base.rate, f.p99} {
				rows[1+3*i+j].Values = append(rows[1+3*i+j].Values, v)
			}
		}
	}
	return rows, nil
}

// rates draws what compare measured: the rates, the fixed answer's in grey.
func rates(p *page.Page, name string, compared []page.Row) error {
	var bars []figure.Bar
	for i, row := range compared {
		if what, ok := strings.CutSuffix(row.Name, ", requests/s"); ok {
			bars = append(bars, figure.Bar{Name: what, Values: row.Values, Beside: i == 0})
		}
	}
	svg, err := figure.Bars("8 connections, median and range", "requests/s", bars)
	return p.Figure(name, "Requests a second by kind of question, beside a fixed answer", svg, err)
}

// open measures an open loop.
func (b *bench) open(api *process, requests []request) ([]page.Row, error) {
	const perSecond = 2000
	rows := []page.Row{{Name: "2,000 a second, open loop (vegeta): p50, ms", Format: "%.2f"}, {Name: "2,000 a second, open loop (vegeta): p99, ms", Format: "%.2f"}}
	for range b.rounds {
		f, err := openLoop(api.addr, perSecond, 2*b.span, nil, requests, nil)
		if err != nil {
			return nil, err
		}
		rows[0].Values, rows[1].Values = append(rows[0].Values, f.p50), append(rows[1].Values, f.p99)
	}
	return rows, nil
}

var benchmarkLine = regexp.MustCompile(`(?m)^BenchmarkTop/(\S+?)(?:-\d+)?\s.*?([\d.]+) queries/s`)

// search runs the benchmark of the search.
func (b *bench) search() (rows []page.Row, err error) {
	cmd := exec.CommandContext(b.ctx, "go", "test", "-run", "xxx", "-bench", "BenchmarkTop/.*/(pruned|full-scan)$", "-benchtime", "0.5s", "-count", "3", "./internal/recommend")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", cmd, err, out)
	}
	for _, match := range benchmarkLine.FindAllStringSubmatch(string(out), -1) {
		value, err := strconv.ParseFloat(match[2], 64)
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 || rows[len(rows)-1].Name != match[1] {
			rows = append(rows, page.Row{Name: match[1], Format: "%.0f"})
		}
		last := &rows[len(rows)-1]
		last.Values = append(last.Values, value)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s gave no figures: %s", cmd, out)
	}
	return rows, nil
}

// settled is after which time a server has given back what loading needed.
const settled = 10 * time.Second

// loading measures how a large version is loaded.
func (b *bench) loading(p *page.Page) error {
	large := newShop(everything, "large", 1)
	data := filepath.Join(b.dir, "large")
	large.write(data, "")
	dense := float64(len(large.spec.Visitors)+len(large.spec.Items)) * rank * 4
	rows := []page.Row{{Name: "loading, seconds", Format: "%.1f"}, {Name: "resident afterwards, MB", Format: "%.0f"}, {Name: "resident, of the factors' bytes", Format: "%.2f"},
		{Name: "resident, of the bytes that factors of all visitors and items would have", Format: "%.2f"},
		{Name: "resident at the peak, MB", Format: "%.0f"}}
	for range min(3, b.rounds) {
		api, err := b.api(data)
		if err != nil {
			return err
		}
		time.Sleep(settled)
		now, peak, err := api.memory()
		api.stop()
		if err != nil {
			return err
		}
		for i, v := range []float64{api.loading, now / 1e6, now / float64(large.weight), now / dense, peak / 1e6} {
			rows[i].Values = append(rows[i].Values, v)
		}
	}
	p.Section("Loading a large version", fmt.Sprintf(`%d visitors and %d items x %d, with lists as long as those of a version that was trained on all of RetailRocket's events: %.0f MB of factors, for most
visitors were there once and have none; factors of all would have %.0f MB. Resident is the whole process. Besides the factors it holds the ids, what each visitor touched and did, and two tables of neighbours.`,
		len(large.spec.Visitors), len(large.spec.Items), rank, float64(large.weight)/1e6, dense/1e6))
	p.Table(rows)
	return nil
}
