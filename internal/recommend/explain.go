package recommend

import (
	"cmp"
	"math"
	"slices"
)

// maxShares is how many items an explanation names at most.
const maxShares = 50

// Share is how much one of a visitor's items adds to a score, as a part of the whole. It is negative where the item speaks against.
type Share struct {
	ID    string
	Share float64
}

// explain says which of the items in s.pairs carry the scores. A score is a sum over them (Hu, Koren and Volinsky 2008, section 5):
//
//	⟨x,y⟩ = Σ (1+c)·yᵀA⁻¹y',  A = YᵀY + Σ c·y'·y'ᵀ + regParam·n·I
//
// with the same A and c as in Folder.Fold, and y' the factors of an item of the visitor's. Shares add up to 1 and come largest
// first. Where there are more than maxShares, the largest by magnitude stand for all. An item without a score has no explanation.
func (r *Recommender) explain(s *scratch, items []Item) {
	f := r.folder
	room := f.systems.Get().(*system)
	defer f.systems.Put(room)
	factor, ok := f.factorise(room, s.pairs)
	if !ok {
		return
	}
	for i := range items {
		number, known := r.items.Number(items[i].ID)
		if !known || r.index.Vector(number) == nil || items[i].Score == 0 {
			continue
		}
		widen(room.y, r.index.Vector(number))
		solve(factor, room.y)
		items[i].Because = r.shares(room.y, s.pairs)
	}
}

// shares weighs the pairs by what each adds to the score of the item whose A⁻¹y is given.
func (r *Recommender) shares(solved []float64, pairs []Pair) []Share {
	shares := make([]Share, 0, len(pairs))
	for _, pair := range pairs {
		row := r.index.Vector(pair.Item)
		if row == nil || pair.Strength <= 0 {
			continue
		}
		var product float64
		for i, y := range row {
			product += solved[i] * float64(y)
		}
		shares = append(shares, Share{r.items.Name(pair.Item), (1 + r.folder.confidence(pair)) * product})
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
