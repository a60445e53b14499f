package train

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"cartwheel/internal/model"
)

// reportPurchase prints how well the models foresee who will buy.
func reportPurchase(out io.Writer, p *model.Purchase) {
	if p == nil {
		return
	}
	if p.Model == "" {
		fmt.Fprintf(out, "\nno model of purchases: %s\n", p.None)
		return
	}
	fmt.Fprintf(out, "\nwho buys within %d days of %s, from the %d days before: %d of %d visitors asked about (%.2f %%); x100, with half\nthe width of the 95 %% interval\n",
		p.LabelDays, p.TestedAt.Format("2006-01-02 15:04"), p.WindowDays, p.Tested.Buyers, p.Tested.Visitors, 100*p.BaseRate)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\tarea under PR\tarea under ROC\tBrier score")
	for _, c := range p.Candidates {
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", c.Model, plusMinus(c.PR), plusMinus(c.ROC), plusMinus(c.Brier))
	}
	fmt.Fprintf(w, "  the bare rate\t%.2f\t50.00\t%.2f\n", 100*p.BaseRate, 100*p.BaseRate*(1-p.BaseRate))
	_ = w.Flush()
	fmt.Fprintf(out, "%s is kept; of visitors whom it gave\n", p.Model)
	w = tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range p.Candidates[0].Reliability {
		fmt.Fprintf(w, "%.2f %%\t%.2f %% bought\tof %.0f\t\n", 100*row.Predicted, 100*row.Observed, row.Visitors)
	}
	_ = w.Flush()
}

// reportSegments prints the segments, the largest first, by the means of what their visitors did.
func reportSegments(out io.Writer, s *model.Segments) {
	if s == nil {
		return
	}
	if s.None != "" {
		fmt.Fprintf(out, "\nno segments: %s\n", s.None)
		return
	}
	told := []string{"views", "addtocarts", "transactions", "sessions", "items", "recency_days"}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "\nsegments (means)\tvisitors")
	for _, name := range told {
		fmt.Fprintf(w, "\t%s", name)
	}
	fmt.Fprintln(w)
	var all int64
	for _, segment := range s.Segments {
		all += segment.Visitors
	}
	line := func(name string, visitors int64, means []float64) {
		fmt.Fprintf(w, "  %s\t%d (%.1f %%)", name, visitors, 100*float64(visitors)/float64(all))
		for _, name := range told {
			if i := slices.Index(s.Features, name); i >= 0 {
				fmt.Fprintf(w, "\t%.2f", means[i])
			}
		}
		fmt.Fprintln(w)
	}
	ordered := slices.Clone(s.Segments)
	slices.SortStableFunc(ordered, func(a, b model.Segment) int { return cmp.Compare(b.Visitors, a.Visitors) })
	for _, segment := range ordered {
		line(segment.Name, segment.Visitors, segment.Means)
	}
	line("all visitors", all, s.Population)
	_ = w.Flush()
}
