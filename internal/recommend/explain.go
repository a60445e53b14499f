package recommend

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas/blas64"
)

// maxShares is how many items an explanation names at most.
const maxShares = 50

// Share is how much one of a visitor's items adds to a score, as a part of the whole. It is negative where the item speaks against.
type Share struct {
	ID    string
	Share float64
}

// explain says which of the items in s.pairs carry the scores. What neighbours and the own signal add to a score is a sum over them
// as it stands; what the factors add is one, too (Hu, Koren and Volinsky 2008, section 5):
//
//	⟨x,y⟩ = Σ (1+c)·yᵀA⁻¹y',  A = YᵀY + Σ c·y'·y'ᵀ + regParam·n·I
//
// with the same A and c as in folder.Fold, and y' the factors of an item of the visitor's. Shares add up to 1 and come largest
// first. Where there are more than maxShares, the largest by magnitude stand for all. What popularity adds is no item's.
func (r *Recommender) explain(s *scratch, items []Item) {
	room := r.folder.systems.Get().(*system)
	defer r.folder.systems.Put(room)
	var factor blas64.Triangular
	byFactors := s.mixture.blend.Factors > 0
	if byFactors {
		factor, byFactors = r.folder.factorise(room, s.pairs)
	}
	for i := range items {
		number, known := r.items.Number(items[i].ID)
		if items[i].Score == 0 {
			continue
		}
		if !known { // it is there for its own sake
			items[i].Because = []Share{{items[i].ID, 1}}
			continue
		}
		var solved []float64
		if row := r.index.Vector(number); row != nil && byFactors {
			widen(room.y, row)
			solve(factor, room.y)
			solved = room.y
		}
		items[i].Because = r.shares(s, number, solved)
	}
}

// shares weighs the pairs by what each adds to the score of an item, whose A⁻¹y is solved, nil if it has none.
func (r *Recommender) shares(s *scratch, item int32, solved []float64) []Share {
	shares := make([]Share, 0, len(s.pairs))
	for _, pair := range s.pairs {
		added := r.carried(&s.mixture, pair.Item, item)
		if row := r.index.Vector(pair.Item); row != nil && solved != nil && pair.Strength > 0 {
			var product float64
			for i, y := range row {
				product += solved[i] * float64(y)
			}
			added += s.mixture.blend.Factors * (1 + r.folder.confidence(pair)) * product
		}
		if added != 0 {
			shares = append(shares, Share{r.items.Name(pair.Item), added})
		}
	}
	if len(shares) > maxShares {
		slices.SortStableFunc(shares, func(a, b Share) int { return cmp.Compare(math.Abs(b.Share), math.Abs(a.Share)) })
		shares = shares[:maxShares]
	}
	var sum float64
	for _, share := range shares {
		sum += share.Share
	}
	if sum == 0 {
		return nil
	}
	for i := range shares {
		shares[i].Share /= sum
	}
	slices.SortStableFunc(shares, func(a, b Share) int { return cmp.Compare(b.Share, a.Share) })
	return shares
}
