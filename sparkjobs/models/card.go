package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"cartwheel/internal/model"
)

// card prints what people outside the team should know of a version, as a model card (Mitchell et al. 2019) in Markdown, from its
// manifest alone. Without a version it is the champion's.
func card(s settings, versions []string) (any, func(io.Writer), error) {
	m, err := s.find(append(versions, "champion")[0])
	if err != nil {
		return nil, nil, err
	}
	return m, func(w io.Writer) { writeCard(w, m) }, nil
}

func writeCard(w io.Writer, m *model.Manifest) {
	p, c := m.Parameters, m.Counts
	const day = "2006-01-02"
	fmt.Fprintf(w, "# Model card: %s\n\n", m.Version)
	fmt.Fprintf(w, "Trained %s UTC with Spark %s", m.CreatedAt.UTC().Format("2006-01-02 15:04"), m.SparkVersion)
	if m.GitRevision != "" {
		fmt.Fprintf(w, ", by Cartwheel %s", m.GitRevision)
	}
	fmt.Fprint(w, ".\n\n## Use\n\n")
	fmt.Fprint(w, "Recommends items of one shop to its visitors and sessions, finds items that are seen together, and, where it holds the models for it, "+
		"tells how likely a visitor is to buy and which segment he is in. It is not meant for decisions about people, such as prices, "+
		"credit or access, nor for another shop's visitors.\n")

	fmt.Fprintf(w, "\n## Data\n\n%d events of %d visitors on %d items, %s to %s, from %d batch files; %d repeated rows were dropped.\n",
		c.Events, c.Visitors, c.Items, m.Data.From.UTC().Format(day), m.Data.To.UTC().Format(day), c.BatchFiles, c.Repeats)
	if n := len(m.Data.BadBatchFiles); n > 0 {
		fmt.Fprintf(w, "%d damaged batch files were passed over: %s.\n", n, strings.Join(m.Data.BadBatchFiles, ", "))
	}
	if len(m.Data.CatalogueFiles) > 0 {
		fmt.Fprintf(w, "Categories are from %s.\n", strings.Join(m.Data.CatalogueFiles, ", "))
	}
	fmt.Fprint(w, "The version holds visitor ids and what each visitor did, so it is personal data as the events are. An erased visitor stays in it: see docs/erasure.md.\n")

	fmt.Fprintf(w, "\n## Model\n\nImplicit ALS of rank %d (%d iterations, regParam %g, alpha %g, seed %d), blended with items seen together, with the visitor's own and with popularity. "+
		"An event weighs %s, and half as much every %g days. %d visitors and %d items have factors; others are folded in when they ask.\n",
		p.Rank, p.Iterations, p.RegParam, p.Alpha, p.Seed, weights(p.EventWeights), p.HalfLifeDays, c.FactorsUsers, c.FactorsItems)

	writeQuality(w, m)
	writePurchase(w, m.Purchase)
	writeSegments(w, m.Segments)

	fmt.Fprint(w, "\n## Limits\n\n")
	fmt.Fprint(w, "- The figures say how well what visitors did next is foretold, not what they would have done if they had been shown something else.\n"+
		"- It learns from what visitors were shown: what was never shown is rarely recommended. Coverage above says how much of the catalogue is.\n"+
		"- Items without events are not recommended.\n")
	if m.Data.HoldoutStart.IsZero() || len(m.Metrics) == 0 {
		fmt.Fprint(w, "- It was not measured.\n")
	}
}

func weights(by map[string]float64) string {
	var list []string
	for _, kind := range slices.Sorted(maps.Keys(by)) {
		list = append(list, fmt.Sprintf("%s %g", kind, by[kind]))
	}
	return strings.Join(list, ", ")
}

// cardMetrics are those of the manifest's figures that a card shows.
var cardMetrics = []string{"ndcg@10", "recall@10", "hitrate@20", "mrr@20", "coverage@10"}

func writeQuality(w io.Writer, m *model.Manifest) {
	fmt.Fprint(w, "\n## Quality\n\n")
	if len(m.Metrics) == 0 {
		fmt.Fprint(w, "Not measured: the latest events leave no visitor to ask about.\n")
		return
	}
	fmt.Fprintf(w, "Asked over the full catalogue about the latest %g %% of the events, from %s on, which the measured model had not seen. x100, "+
		"with half the width of the 95 %% bootstrap interval over visitors.\n\n", 100*m.Parameters.HoldoutShare, m.Data.HoldoutStart.UTC().Format("2006-01-02 15:04"))
	fmt.Fprintf(w, "| question: recommender | asked | %s |\n|---|---%s|\n", strings.Join(cardMetrics, " | "), strings.Repeat("|---", len(cardMetrics)))
	for _, key := range slices.Sorted(maps.Keys(m.Metrics)) {
		fmt.Fprintf(w, "| %s | %d |", key, m.Metrics[key].Cases)
		for _, metric := range cardMetrics {
			if v, ok := m.Metrics[key].Values[metric]; ok {
				fmt.Fprintf(w, " %s |", plusMinus(v))
			} else {
				fmt.Fprint(w, " |")
			}
		}
		fmt.Fprintln(w)
	}
	if d := m.Decision; d != nil {
		verdict := "not made the champion"
		if d.Promoted {
			verdict = "made the champion"
		}
		fmt.Fprintf(w, "\nIt was %s: %s.\n", verdict, d.Reason)
	}
}

func writePurchase(w io.Writer, p *model.Purchase) {
	fmt.Fprint(w, "\n## Purchase probability\n\n")
	switch {
	case p == nil || p.Model == "" && p.None == "":
		fmt.Fprint(w, "None.\n")
	case p.Model == "":
		fmt.Fprintf(w, "None: %s.\n", p.None)
	default:
		fmt.Fprintf(w, "%s on what a visitor did in %d days: will he buy in the next %d? Tested on %d visitors, of whom %d bought (%.2f %%).\n\n",
			p.Model, p.WindowDays, p.LabelDays, p.Tested.Visitors, p.Tested.Buyers, 100*p.BaseRate)
		fmt.Fprint(w, "| candidate | area under PR | area under ROC | Brier |\n|---|---|---|---|\n")
		for _, c := range p.Candidates {
			fmt.Fprintf(w, "| %s | %s | %s | %s |\n", c.Model, plusMinus(c.PR), plusMinus(c.ROC), plusMinus(c.Brier))
		}
	}
}

func writeSegments(w io.Writer, s *model.Segments) {
	fmt.Fprint(w, "\n## Segments\n\n")
	switch {
	case s == nil || len(s.Segments) == 0 && s.None == "":
		fmt.Fprint(w, "None.\n")
	case len(s.Segments) == 0:
		fmt.Fprintf(w, "None: %s.\n", s.None)
	default:
		fmt.Fprint(w, "| segment | visitors |\n|---|---|\n")
		for _, segment := range s.Segments {
			fmt.Fprintf(w, "| %s | %d |\n", segment.Name, segment.Visitors)
		}
	}
}
