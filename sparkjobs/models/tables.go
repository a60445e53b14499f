package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"cartwheel/internal/model"
)

// table prints rows whose cells are parted by tabs.
func table(w io.Writer, rows func(io.Writer)) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	rows(t)
	_ = t.Flush() // to a terminal or a pipe: whoever closed it does not want the rest
}

// headlines are the figures that a list has room for: of the blend, by kind of question.
var headlines = []struct{ title, kind, metric string }{
	{"new ndcg@10", "visitor, new items", "ndcg@10"}, {"all ndcg@10", "visitor, all items", "ndcg@10"}, {"session mrr@20", "session, next item", "mrr@20"},
}

func listTable(w io.Writer, s settings, rows []listed) {
	if len(rows) == 0 {
		fmt.Fprintf(w, "no versions in %s: sparkjobs/train makes them\n", s.modelsDir)
		return
	}
	table(w, func(t io.Writer) {
		fmt.Fprint(t, "version\tevents\trank")
		for _, h := range headlines {
			fmt.Fprintf(t, "\t%s", h.title)
		}
		fmt.Fprintln(t, "\tstate")
		for _, r := range rows {
			if r.Error != "" {
				fmt.Fprintf(t, "%s\t\t\t\t\t\tdamaged: %s\n", r.Version, r.Error)
				continue
			}
			m := r.Manifest
			fmt.Fprintf(t, "%s\t%d\t%d", r.Version, m.Counts.Events, m.Parameters.Rank)
			for _, h := range headlines {
				if v, ok := m.Metrics[h.kind+": blend"].Values[h.metric]; ok {
					fmt.Fprintf(t, "\t%s", plusMinus(v))
				} else {
					fmt.Fprint(t, "\t-")
				}
			}
			fmt.Fprintf(t, "\t%s\n", state(r))
		}
	})
}

func state(r listed) string {
	d := r.Manifest.Decision
	switch {
	case r.Champion:
		return "champion"
	case r.Previous:
		return "champion before"
	case d != nil && !d.Promoted:
		return "not promoted"
	case d != nil && d.Forced:
		return "forced"
	default:
		return ""
	}
}

func showTable(w io.Writer, m *model.Manifest) {
	var bytes int64
	for _, f := range m.Files {
		bytes += f.Bytes
	}
	p, c := m.Parameters, m.Counts
	table(w, func(t io.Writer) {
		row := func(name string, cells ...any) {
			fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprint(cells...))
		}
		row("version", m.Version)
		row("trained", m.CreatedAt.Format("2006-01-02 15:04:05"), " UTC by Spark ", m.SparkVersion, ", program ", orDash(m.GitRevision))
		row("events", c.Events, " from ", m.Data.From.Format("2006-01-02 15:04"), " to ", m.Data.To.Format("2006-01-02 15:04"),
			", of ", c.BatchFiles, " batch files; ", c.Repeats, " repeats dropped")
		row("visitors", c.Visitors, ", ", c.FactorsUsers, " with factors")
		row("items", c.Items, ", ", c.FactorsItems, " with factors")
		row("settings", "rank ", p.Rank, ", ", p.Iterations, " iterations, reg ", p.RegParam, ", alpha ", p.Alpha, ", half-life ", p.HalfLifeDays, " days")
		var weights []string
		for _, kind := range slices.Sorted(maps.Keys(p.EventWeights)) {
			weights = append(weights, fmt.Sprint(kind, "=", p.EventWeights[kind]))
		}
		row("weights", strings.Join(weights, ", "))
		row("files", len(m.Files), ", ", bytes/1_000_000, " MB")
		if d := m.Decision; d != nil {
			verdict := "not promoted: "
			if d.Promoted {
				verdict = "promoted: "
			}
			row("decision", verdict, d.Reason)
		}
	})
	fmt.Fprintln(w, "\nx100, with half the width of the 95 % interval; --json has all figures")
	metrics := []string{"ndcg@10", "recall@10", "hitrate@20", "mrr@20", "popularity@10", "coverage@10"}
	table(w, func(t io.Writer) {
		fmt.Fprint(t, "question: recommender\tasked")
		for _, metric := range metrics {
			fmt.Fprintf(t, "\t%s", metric)
		}
		fmt.Fprintln(t)
		for _, key := range slices.Sorted(maps.Keys(m.Metrics)) {
			fmt.Fprintf(t, "%s\t%d", key, m.Metrics[key].Cases)
			for _, metric := range metrics {
				fmt.Fprintf(t, "\t%s", plusMinus(m.Metrics[key].Values[metric]))
			}
			fmt.Fprintln(t)
		}
	})
}

func compareTable(w io.Writer, c comparison) {
	table(w, func(t io.Writer) {
		fmt.Fprintf(t, "\tA: %s\tB: %s\n", c.A, c.B)
		for _, d := range c.Differences {
			fmt.Fprintf(t, "%s\t%s\t%s\n", d.What, orDash(d.A), orDash(d.B))
		}
	})
	if len(c.Differences) == 0 {
		fmt.Fprintln(w, "alike in settings and counts")
	}
	fmt.Fprintln(w, "\neach measured on its own hold-out; x100, with half the width of the 95 % interval; --json has all recommenders")
	table(w, func(t io.Writer) {
		fmt.Fprintln(t, "question: recommender\tmetric\tA\tB")
		for _, p := range c.Metrics {
			if !strings.HasSuffix(p.Measured, ": blend") {
				continue
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", p.Measured, p.Metric, orNotMeasured(p.A), orNotMeasured(p.B))
		}
	})
	if c.Decision == nil {
		return
	}
	fmt.Fprintln(w, "\nA less B on the same events, when A was trained; x100, with 95 % intervals")
	table(w, func(t io.Writer) {
		for _, d := range c.Decision.Comparisons {
			if d.With == c.B {
				fmt.Fprintf(t, "%s\t%s\t%.2f [%.2f, %.2f]\t%d visitors\n", d.Question, d.Metric, 100*d.Difference.Mean, 100*d.Difference.Low, 100*d.Difference.High, d.Visitors)
			}
		}
	})
}

func pruneTable(w io.Writer, p prunings) {
	verb, removed, bytes := "removed", 0, int64(0)
	if p.Dry {
		verb = "would be removed"
	}
	table(w, func(t io.Writer) {
		for _, v := range p.Versions {
			what := v.Reason
			if v.Removed {
				what = verb
				removed++
				bytes += v.Bytes
			}
			fmt.Fprintf(t, "%s\t%d MB\t%s\n", v.Name, v.Bytes/1_000_000, what)
		}
	})
	fmt.Fprintf(w, "%d of %d %s, %d MB", removed, len(p.Versions), verb, bytes/1_000_000)
	if p.Dry && removed > 0 {
		fmt.Fprint(w, "; --yes removes them")
	}
	fmt.Fprintln(w)
}

func plusMinus(v model.Interval) string {
	return fmt.Sprintf("%.2f ±%.2f", 100*v.Mean, 50*(v.High-v.Low))
}

func orNotMeasured(v *model.Interval) string {
	if v == nil {
		return "-"
	}
	return plusMinus(*v)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
