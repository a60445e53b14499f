package train

import (
	"fmt"
	"strings"

	"cartwheel/internal/model"
)

// What decides whether a version becomes the champion: NDCG@10 of what would be served, on every kind of question that is asked about
// enough visitors for an answer.
const (
	decidingMetric = "ndcg@10"
	// leastVisitors is how many visitors a kind of question must be about to decide anything.
	leastVisitors = 50
)

// decide says whether a measured version is to be the champion. It must be better than popularity on some kind of question and worse
// on none, and on none worse than the champion; "better" and "worse" mean by more than the 95 % interval of the paired difference,
// so that noise refuses nobody. e is nil if nothing could be measured.
func decide(e *evaluation, c champion, force bool, seed int64) *model.Decision {
	d := &model.Decision{Champion: c.name}
	objections := judge(d, e, c, seed)
	switch {
	case len(objections) == 0:
		d.Promoted = true
		if d.Reason == "" {
			d.Reason = "better than popularity; " + c.verdict()
		}
	case force:
		d.Promoted, d.Forced = true, true
		d.Reason = "forced, although " + strings.Join(objections, "; ")
	default:
		d.Reason = strings.Join(objections, "; ")
	}
	return d
}

// judge fills in the decision's comparisons and returns what they say against the version.
func judge(d *model.Decision, e *evaluation, c champion, seed int64) (objections []string) {
	var few []string
	better := false
	for _, kind := range kinds {
		if e == nil || e.visitorsN[kind] < leastVisitors {
			n := 0
			if e != nil {
				n = e.visitorsN[kind]
			}
			few = append(few, fmt.Sprintf("%s: %d", kind, n))
			continue
		}
		popular := e.compare(kind, byBlend, byPopularity, seed)
		popular.With = byPopularity
		d.Comparisons = append(d.Comparisons, popular)
		better = better || popular.Better()
		if popular.Worse() {
			objections = append(objections, "it is worse than popularity on "+told(popular))
		}
		if _, ok := e.answers[byChampion]; !ok {
			continue
		}
		beside := e.compare(kind, byCandidate, byChampion, seed)
		beside.With = c.name
		d.Comparisons = append(d.Comparisons, beside)
		if beside.Worse() {
			objections = append(objections, "it is worse than the champion "+c.name+" on "+told(beside))
		}
	}
	switch {
	case len(d.Comparisons) == 0:
		d.Reason = fmt.Sprintf("too few visitors in the hold-out to compare by (%s; %d decide)", strings.Join(few, ", "), leastVisitors)
	case !better && len(objections) == 0:
		objections = append(objections, "it is not better than popularity on any kind of question")
	}
	return objections
}

// told tells a difference, x100 as in the report.
func told(c model.Comparison) string {
	d := c.Difference
	return fmt.Sprintf("%q: the difference in %s is %.2f [%.2f, %.2f] (x100) over %d visitors", c.Question, c.Metric, 100*d.Mean, 100*d.Low, 100*d.High, c.Visitors)
}

// compare gives the difference between two recommenders on a kind of question.
func (e *evaluation) compare(kind, a, b string, seed int64) model.Comparison {
	c := model.Comparison{Question: kind, Metric: decidingMetric}
	difference := newByVisitor(1)
	for i, q := range e.asked {
		if q.kind == kind && !q.stranger {
			c.Cases++
			difference.add(q.visitor, e.answers[a][i].figures[ndcg10]-e.answers[b][i].figures[ndcg10])
		}
	}
	c.Visitors, c.Difference = len(difference.counts), difference.intervals(seed)[0]
	return c
}
