package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cartwheel/internal/event"
	"cartwheel/internal/synthetic"
	"cartwheel/internal/synthetic/synthetictest"
	"cartwheel/scripts/internal/figure"
	"cartwheel/scripts/internal/page"
)

const asking = 5000 // variants of each question

// besideGorse measures the API beside Gorse, on the same events.
func (b *bench) besideGorse() (*page.Page, error) {
	g := &gorse{program: os.Getenv("GORSE"), dir: filepath.Join(b.dir, "gorse")}
	version, err := g.version()
	if err != nil {
		return nil, err
	}
	if os.Getenv("SPARK_REMOTE") == "" {
		return nil, errors.New("SPARK_REMOTE is not set: make bench-gorse starts a Spark and sets it")
	}
	p := page.New("Beside Gorse, measured", "make bench-gorse", b.load)
	var all []event.Event
	err = synthetictest.Each(b.ctx, synthetic.Settings{Events: b.events, Seed: 1}, func(e *event.Event) error {
		e.VisitorID, e.ItemID, e.TransactionID = strings.Clone(e.VisitorID), strings.Clone(e.ItemID), strings.Clone(e.TransactionID)
		all = append(all, *e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	dice := rand.New(rand.NewPCG(1, 2))
	events, cases := holdOut(all, 2000, dice)
	if len(cases) == 0 {
		return nil, fmt.Errorf("of %d events no visitor has three items: measure with more (--events)", len(all))
	}

	taking, preparing, err := g.serve(b, events)
	if err != nil {
		return nil, err
	}
	defer g.stop()
	training, err := b.train(events)
	if err != nil {
		return nil, err
	}
	api, err := b.api(filepath.Join(b.dir, "data"))
	if err != nil {
		return nil, err
	}
	defer api.stop()

	questions := draw(events, dice)
	rows, err := b.inTurns(api.addr, g.addr, questions)
	if err != nil {
		return nil, err
	}
	p.Section("Requests", fmt.Sprintf(`Gorse %s (gorse-in-one; SQLite holds its data and its cache) and Cartwheel's API on the same %d events of %d visitors: a generated shop of %d events, less what the hit rates below ask for. (`+"`make demo`"+` has 200,000, too;
with more, what Gorse prepares for each visitor takes hours, not minutes.) Gorse got them through its API and had all its recommendations in its cache before anything was asked, which is its best case; Cartwheel's version was trained on them by Spark. 10 items are asked for; both get the same
%d visitors (drawn evenly), items (as often as they are touched) and sessions (the last 1 to 5 items of a visitor). 8 connections, each of which waits for its answer, %s for each figure; in every round both are
measured one right after the other, and who is first alternates. Neither limits rates. Gorse writes a line of log for each request, to /dev/null; Cartwheel writes none.`, version, len(events), len(histories(events)), b.events, asking, b.span))
	p.Table(rows)
	var bars []figure.Bar
	for _, row := range rows {
		if name, is := strings.CutSuffix(row.Name, ", requests/s"); is {
			bars = append(bars, figure.Bar{Name: name, Values: row.Values, Beside: strings.HasSuffix(name, "Gorse")})
		}
	}
	svg, err := figure.Bars("8 connections, median and range", "requests/s", bars)
	if err := p.Figure("gorse", "Requests a second by kind of question, Gorse's in grey", svg, err); err != nil {
		return nil, err
	}

	now, peak, err := api.memory()
	if err != nil {
		return nil, err
	}
	nowGorse, peakGorse, err := g.memory()
	if err != nil {
		return nil, err
	}
	p.Section("Until they answer, and what they hold", fmt.Sprintf(`Measured once. Cartwheel's training runs in Spark, from batch files that lie ready (ingest.md measures how they come to be), and needs a cluster and a broker besides, which hold
memory of their own; Gorse does all in the process that answers, item by item and visitor by visitor.

| | Cartwheel | Gorse |
|---|---|---|
| taking the events in, seconds | (from Kafka) | %.1f |
| training, until all can be answered, seconds | %.1f | %.1f |
| of which loading the version, seconds | %.2f | |
| resident after the requests, MB | %.0f | %.0f |
| resident at the peak, MB | %.0f | %.0f |`, taking, training+api.loading, preparing, api.loading, now/1e6, nowGorse/1e6, peak/1e6, peakGorse/1e6))
	return p, b.asked(p, api.addr, g.addr, questions, cases)
}

// asked tells what is in the answers of both.
func (b *bench) asked(p *page.Page, api, gorse string, questions []*question, cases []heldOut) error {
	visitor, session := &question{name: "a visitor"}, &question{name: "a session of his last 5 items"}
	for _, c := range cases {
		visitor.visitor(c.visitor)
		session.session(c.before)
	}
	compare := func(qs []*question, is func(int, []string) bool) (lines []string, err error) {
		for _, q := range qs {
			ours, err := answers(api, q.ours)
			if err != nil {
				return nil, err
			}
			theirs, err := answers(gorse, q.theirs)
			if err != nil {
				return nil, err
			}
			lines = append(lines, fmt.Sprintf("| %s | %.2f | %.2f |", q.name, share(ours, is), share(theirs, is)))
		}
		return lines, nil
	}
	full, err := compare(questions, func(_ int, items []string) bool { return len(items) == 10 })
	if err != nil {
		return err
	}
	hits, err := compare([]*question{visitor, session}, func(i int, items []string) bool { return slices.Contains(items, cases[i].target) })
	if err != nil {
		return err
	}
	const head = "\n\n| | Cartwheel | Gorse |\n|---|---|---|\n"
	p.Section("Answers with all 10 items", "Of a hundred. Every answer was a success."+head+strings.Join(full, "\n"))
	p.Section("Hit rate at 10, on a generated shop", fmt.Sprintf(`**No shop's figures**: they say how both do on these events, which Cartwheel's own generator made up. Of %d visitors the last item that was new to them, and all that they did afterwards, was kept from both; of a hundred, so
many have it among the 10 that are recommended. Every kind of event is positive feedback to Gorse, for with views as read feedback, as its documentation has it, most visitors could be recommended nothing. Its ranker, a factorization
machine, then has no negative events to learn from. The session row is what its item-to-item lists do, by which visitors can be answered, too (ranker "none"), with more reads for each.`, len(cases))+head+strings.Join(hits, "\n"))
	p.Section("What this does not compare", `- Gorse's other stores: Redis, PostgreSQL, MySQL or MongoDB in place of SQLite, and more than one server.
- What Gorse has and Cartwheel has not: recommendations by labels, embeddings and language models, other users like a user, a dashboard to compose them in, all of it in one program without Kafka, Spark or a JVM.
- What Cartwheel has and Gorse has not: an answer over the whole catalogue at the time of asking, events of the last second in it, a version that must prove itself before it serves. No broker is connected here.
- Each item was given the category "", for Gorse answers sessions only with items of that one (v0.5.9 does).`)
	return nil
}

// train makes a version of the events in Spark, as the shop would, and tells how many seconds that took.
func (b *bench) train(events []event.Event) (float64, error) {
	data := filepath.Join(b.dir, "data")
	if _, err := synthetictest.WriteEvents(data, events, 10_000); err != nil {
		return 0, err
	}
	if err := b.build("./api", "./sparkjobs/train"); err != nil {
		return 0, err
	}
	begun := time.Now()
	cmd := b.command(filepath.Join(b.dir, "train"), "--data-dir", data, "--force")
	cmd.Env = append(os.Environ(), "SPARK_DATA_DIR=")
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("training: %w", err)
	}
	return time.Since(begun).Seconds(), nil
}

// inTurns puts each question to both in every round.
func (b *bench) inTurns(api, gorse string, questions []*question) (rows []page.Row, err error) {
	for _, q := range questions {
		rows = append(rows, page.Row{Name: q.name + ": Cartwheel, requests/s", Format: "%.0f"}, page.Row{Name: q.name + ": Gorse, requests/s", Format: "%.0f"},
			page.Row{Name: q.name + ": Cartwheel's rate, of Gorse's", Format: "%.1f"},
			page.Row{Name: q.name + ": Cartwheel, p99, ms", Format: "%.2f"}, page.Row{Name: q.name + ": Gorse, p99, ms", Format: "%.2f"})
	}
	for round := range b.rounds {
		for i, q := range questions {
			var f [2]figures
			for turn := range f {
				who := (round + turn) % 2
				addr, requests := api, q.ours
				if who == 1 {
					addr, requests = gorse, q.theirs
				}
				if f[who], err = closedLoop(addr, b.span, requests); err != nil {
					return nil, fmt.Errorf("%s: %w", q.name, err)
				}
			}
			for j, v := range []float64{f[0].rate, f[1].rate, f[0].rate / f[1].rate, f[0].p99, f[1].p99} {
				rows[5*i+j].Values = append(rows[5*i+j].Values, v)
			}
		}
	}
	return rows, nil
}
