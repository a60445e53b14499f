package train

import (
	"math"
	"slices"

	"cartwheel/internal/model"
)

// metricNames are the figures of one answer, in the order in which they are told.
var metricNames = []string{"ndcg@10", "recall@10", "hitrate@10", "mrr@10", "ndcg@20", "recall@20", "hitrate@20", "mrr@20", "popularity@10"}

// coverageName is the figure that only many answers together have.
const coverageName = "coverage@10"

// figures are one answer's figures, in the order of metricNames.
type figures [9]float64

const (
	ndcg10     = 0 // the place of NDCG@10 among the metrics
	popularity = 8 // that of the bias to what is popular
	// listed is how many items of an answer count for coverage and for the bias to what is popular.
	listed = 10
	// answered is how many items a recommender is asked for.
	answered = 20
)

// score measures a ranking against what the visitor then chose, with binary gains. For K of 10 and of 20:
//
//	NDCG     Σ 1/log2(place+1) over the hits, by the same sum for min(K, targets) hits in front (Järvelin and Kekäläinen 2002)
//	Recall   hits per target
//	HitRate  1 for any hit
//	MRR      one by the place of the first hit, 0 without any
//
// Targets outside the catalogue count as missed.
func score(ranked, targets []string) figures {
	var m figures
	var dcg, ideal, hits, first float64
	for place := 1; place <= answered; place++ {
		discount := 1 / math.Log2(float64(place)+1)
		if place <= len(targets) {
			ideal += discount
		}
		if place <= len(ranked) && slices.Contains(targets, ranked[place-1]) {
			dcg += discount
			hits++
			if first == 0 {
				first = 1 / float64(place)
			}
		}
		if place == 10 || place == 20 {
			copy(m[(place/10-1)*4:], []float64{dcg / ideal, hits / float64(len(targets)), min(hits, 1), first})
		}
	}
	return m
}

// popularityOf is how popular the items of a list are: the mean over them of the share of the catalogue that has fewer events. It is
// near to 1 for a recommender that shows everybody the same favourites and 0.5 for one that draws at random. (The average popularity
// of what is recommended is the usual measure of this bias, see Yin et al. 2012 and Abdollahpouri et al. 2019; by rank instead of by
// count it can be compared between shops.) An item that the version does not know has no events.
func popularityOf(list []int32, catalogue int) float64 {
	if len(list) == 0 {
		return 0
	}
	var sum float64
	for _, item := range list {
		if item >= 0 {
			sum += float64(catalogue-1-int(item)) / float64(max(1, catalogue-1)) // items are numbered by their events, most first
		}
	}
	return sum / float64(len(list))
}

// numbersOf gives the numbers of the first items of a list, -1 for one that the version does not know.
func numbersOf(ranked []string, items *model.IDs) []int32 {
	numbers := make([]int32, min(listed, len(ranked)))
	for i := range numbers {
		numbers[i] = -1
		if n, known := items.Number(ranked[i]); known {
			numbers[i] = n
		}
	}
	return numbers
}
