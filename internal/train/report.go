package train

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"cartwheel/internal/model"
)

// report prints what came out, for people.
func report(out io.Writer, m *model.Manifest) {
	fmt.Fprintf(out, "\nversion %s (Spark %s)\n", m.Version, m.SparkVersion)
	fmt.Fprintf(out, "%d events of %d visitors on %d items, %s to %s; %d of %d rows read were repeats and dropped\n",
		m.Counts.Events, m.Counts.Visitors, m.Counts.Items, m.Data.From.Format("2006-01-02"), m.Data.To.Format("2006-01-02"),
		m.Counts.Repeats, m.Counts.RowsRead)
	fmt.Fprintf(out, "factors of %d visitors and %d items, rank %d\n", m.Counts.FactorsUsers, m.Counts.FactorsItems, m.Parameters.Rank)
	if len(m.Metrics) == 0 {
		fmt.Fprintln(out, "not measured: the events after the hold-out's start leave no visitor to ask about")
		return
	}
	fmt.Fprintf(out, "\nasked about the latest %g %% of the events, from %s on, over the full catalogue; x100, with 95 %% intervals\n",
		100*m.Parameters.HoldoutShare, m.Data.HoldoutStart.Format("2006-01-02 15:04"))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "question: recommender\tasked")
	for _, name := range metricNames {
		fmt.Fprintf(w, "\t%s", name)
	}
	fmt.Fprintln(w)
	for _, key := range slices.Sorted(maps.Keys(m.Metrics)) {
		measured := m.Metrics[key]
		fmt.Fprintf(w, "%s\t%d", key, measured.Cases)
		for _, name := range metricNames {
			v := measured.Values[name]
			fmt.Fprintf(w, "\t%.2f [%.2f, %.2f]", 100*v.Mean, 100*v.Low, 100*v.High)
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush() // to a terminal or a pipe: whoever closed it does not want the rest
}
