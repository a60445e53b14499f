package train

import (
	"fmt"
	"io"
	"text/tabwriter"

	"cartwheel/internal/model"
)

// report prints what came out, for people, on lines of at most 120 characters.
func report(out io.Writer, m *model.Manifest) {
	fmt.Fprintf(out, "\nversion %s (Spark %s)\n", m.Version, m.SparkVersion)
	fmt.Fprintf(out, "%d events of %d visitors on %d items, %s to %s; %d of %d rows read were repeats and dropped\n",
		m.Counts.Events, m.Counts.Visitors, m.Counts.Items, m.Data.From.Format("2006-01-02"), m.Data.To.Format("2006-01-02"),
		m.Counts.Repeats, m.Counts.RowsRead)
	if m.Counts.Erased > 0 {
		fmt.Fprintf(out, "%d visitors have been erased; their %d rows were left out\n", m.Counts.Erased, m.Counts.ErasedRows)
	}
	fmt.Fprintf(out, "factors of %d visitors and %d items, rank %d\n", m.Counts.FactorsUsers, m.Counts.FactorsItems, m.Parameters.Rank)
	if len(m.Metrics) == 0 {
		fmt.Fprintln(out, "not measured: the events after the hold-out's start leave no visitor to ask about")
	} else {
		fmt.Fprintf(out, "\nasked about the latest %g %% of the events, from %s on, over the full catalogue; x100,\nwith half the width of the 95 %% interval; docs/quality.md explains, manifest.json has all figures\n",
			100*m.Parameters.HoldoutShare, m.Data.HoldoutStart.Format("2006-01-02 15:04"))
		for _, kind := range kinds {
			reportKind(out, m, kind)
		}
		reportWarmth(out, m)
	}
	reportPurchase(out, m.Purchase)
	reportSegments(out, m.Segments)
	verdict := "is not the champion"
	if m.Decision.Promoted {
		verdict = "is the champion"
	}
	fmt.Fprintf(out, "\n%s %s: %s\n", m.Version, verdict, m.Decision.Reason)
}

// toldMetrics are those of the manifest's figures that the report shows.
var toldMetrics = []string{"ndcg@10", "recall@10", "hitrate@10", "hitrate@20", "mrr@20", "popularity@10", "coverage@10"}

func reportKind(out io.Writer, m *model.Manifest, kind string) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	heading := false
	for _, name := range recommenders {
		measured, ok := m.Metrics[kind+": "+name]
		if !ok {
			continue
		}
		if !heading {
			heading = true
			fmt.Fprintf(w, "\n%s (%d asked)\n", kind, measured.Cases)
			for _, metric := range toldMetrics {
				fmt.Fprintf(w, "\t%s", metric)
			}
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "  %s", name)
		for _, metric := range toldMetrics {
			fmt.Fprintf(w, "\t%s", plusMinus(measured.Values[metric]))
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush() // to a terminal or a pipe: whoever closed it does not want the rest
}

// reportWarmth shows the deciding metric for warm and cold visitors apart.
func reportWarmth(out io.Writer, m *model.Manifest) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\n%s of warm and cold visitors\tasked", decidingMetric)
	for _, name := range recommenders {
		fmt.Fprintf(w, "\t%s", name)
	}
	fmt.Fprintln(w)
	for _, kind := range kinds {
		for _, part := range parts[1:] {
			first, ok := m.Metrics[kind+part.suffix+": "+byBlend]
			if !ok {
				continue
			}
			fmt.Fprintf(w, "  %s%s\t%d", kind, part.suffix, first.Cases)
			for _, name := range recommenders {
				fmt.Fprintf(w, "\t%s", plusMinus(m.Metrics[kind+part.suffix+": "+name].Values[decidingMetric]))
			}
			fmt.Fprintln(w)
		}
	}
	_ = w.Flush()
}

func plusMinus(v model.Interval) string {
	return fmt.Sprintf("%.2f ±%.2f", 100*v.Mean, 50*(v.High-v.Low))
}
