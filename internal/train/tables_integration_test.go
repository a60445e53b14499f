//go:build integration

package train

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"cartwheel/internal/event"
	"cartwheel/internal/features"
	"cartwheel/internal/model"
	"cartwheel/internal/spark/sparktest"
)

// touch is an event by numbers.
type touch struct {
	visitor, item, timestamp int64
	event, id                string
}

// touches are random sessions of forty visitors among sixty items, some events of one moment, and one whose clock was ten years ahead.
func touches() (all []touch, now int64) {
	r := rand.New(rand.NewPCG(7, 7))
	day := int64(dayMS)
	for visitor := range int64(40) {
		at := 10*day + r.Int64N(60*day)
		for range 5 + r.IntN(60) {
			switch r.IntN(8) {
			case 0:
				at += int64(r.IntN(40)) * day
			case 1: // the same moment
			default:
				at += 1 + r.Int64N(2*sessionPause.Milliseconds())
			}
			kind := event.Kinds[r.IntN(len(event.Kinds))]
			all = append(all, touch{visitor, int64(60 * math.Pow(r.Float64(), 2)), at, kind, fmt.Sprintf("e%06d", len(all))})
		}
	}
	slices.SortFunc(all, func(a, b touch) int { return cmp.Compare(a.timestamp, b.timestamp) })
	place := 0.999 * float64(len(all)) // of the list with one more
	low := all[int(place)].timestamp
	now = low
	if high := min(int(place)+1, len(all)-1); high > int(place) {
		now = int64(float64(low) + (place-math.Floor(place))*float64(all[high].timestamp-low))
	}
	return append(all, touch{0, 0, now + 3650*day, event.View, "ahead"}), now
}

func TestTablesAgreeWithTheirFormulas(t *testing.T) {
	s, ctx := sparktest.Open(t), t.Context()
	all, now := touches()
	rows := make([]string, len(all))
	for i, e := range all {
		rows[i] = fmt.Sprintf("(%d, %d, '%s', %dL, '%s')", e.visitor, e.item, e.event, e.timestamp, e.id)
	}
	events, err := s.Sql(ctx, "SELECT * FROM VALUES "+strings.Join(rows, ",")+" AS t(visitor, item, event, timestamp, eventid)")
	if err != nil {
		t.Fatal(err)
	}
	span, err := spanOf(ctx, events)
	if err != nil {
		t.Fatal(err)
	}
	if off := span.now - now; off < -1 || off > 1 || span.to != all[len(all)-1].timestamp {
		t.Fatalf("ages count from %d of %d, want %d", span.now, span.to, now)
	}

	weights := Weights{event.View: 1, event.AddToCart: 3, event.Transaction: 5}
	wanted := wantPairs(all, weights, 30, now)
	df, err := pairs(ctx, events, weights, 30, 0, now)
	got := sparktest.Rows(t, df, err)
	if len(got) != len(wanted) {
		t.Errorf("%d pairs, want %d", len(got), len(wanted))
	}
	for _, row := range got {
		key := [2]int64{number64(row["visitor"]), number64(row["item"])}
		for column, want := range map[string]float64{"strength": wanted[key][0], "habit": wanted[key][1]} {
			if v := float64(row[column].(float32)); math.Abs(v-want) > 1e-5*want {
				t.Errorf("%v: %s is %v, want %v", key, column, v, want)
			}
		}
	}

	liked := wantPopular(all, weights, 7, now)
	placed, err := s.Sql(ctx, "SELECT CAST(id AS INT) item, CONCAT('c', id % 7) category FROM range(60) WHERE id % 7 < 6") // and some in none
	if err != nil {
		t.Fatal(err)
	}
	items, err := features.Items(ctx, events, 7, now, placed)
	if err != nil {
		t.Fatal(err)
	}
	for _, limit := range []struct{ all, inCategory int }{{popularLimit, categoryLimit}, {4, 3}} {
		listed := wantListed(liked, limit.all, limit.inCategory)
		df, err = popular(ctx, items, weights, limit.all, limit.inCategory)
		lists := sparktest.Rows(t, df, err)
		if len(lists) != len(listed) {
			t.Errorf("%d places in the lists of popular items, want %d", len(lists), len(listed))
		}
		for _, row := range lists {
			key := itemOf{row["event"].(string), number64(row["item"])}
			if score := row["score"].(float64); !listed[key] || math.Abs(score-liked[key]) > 1e-9*liked[key] {
				t.Errorf("%v: popularity %v, want %v, listed: %v", key, score, liked[key], listed[key])
			}
		}
	}

	trends := map[int64]float64{}
	for _, row := range sparktest.Rows(t, items, nil) {
		trends[number64(row["item"])] = row["trend"].(float64)
	}
	df, err = trending(ctx, items)
	before, risen := math.Inf(1), 0
	for _, row := range sparktest.Rows(t, df, err) {
		score := row["score"].(float64)
		if score != trends[number64(row["item"])] || score <= 1 || score > before {
			t.Errorf("trending: %v after %v, and its trend is %v", row, before, trends[number64(row["item"])])
		}
		before = score
		risen++
	}
	for _, trend := range trends {
		if trend > 1 {
			risen--
		}
	}
	if risen != 0 || before == math.Inf(1) {
		t.Errorf("%d more items are listed as trending than have risen; the last one's trend is %v", risen, before)
	}

	visits, err := sessions(ctx, events)
	if err != nil {
		t.Fatal(err)
	}
	counted, err := together(ctx, s, visits, now)
	if err != nil {
		t.Fatal(err)
	}
	for name, halfLife := range map[string]float64{"neighbours": longHalfLife, "recent_neighbours": shortHalfLife} {
		near := wantNear(all, halfLife, now, func([]touch, int, int) bool { return true })
		if name == "neighbours" {
			near = wantWide(wantNear(all, halfLife, now, leads))
		}
		df, err := neighbours(ctx, s, counted, name, name == "neighbours")
		found := 0
		for _, row := range sparktest.Rows(t, df, err) {
			x := number64(row["item"])
			before := math.Inf(1)
			for i, y := range row["items"].([]any) {
				score := float64(row["scores"].([]any)[i].(float32))
				if want := near[x][number64(y)]; math.Abs(score-want) > 1e-4*want || score > before {
					t.Errorf("%s: %d beside %d is %v after %v, want %v", name, number64(y), x, score, before, want)
				}
				before = score
				found++
			}
		}
		want := 0
		for _, of := range near {
			want += min(len(of), rule.PerItem)
		}
		if found != want || want < 500 {
			t.Errorf("%s: %d neighbours in all, want %d", name, found, want)
		}
	}
}

func number64(v any) int64 {
	if n, ok := v.(int32); ok {
		return int64(n)
	}
	return v.(int64)
}

func decay(e touch, halfLife float64, now int64) float64 {
	return math.Pow(2, float64(min(e.timestamp-now, 0))/dayMS/halfLife)
}

// wantPairs gives strength and habit by visitor and item.
func wantPairs(all []touch, weights Weights, halfLife float64, now int64) map[[2]int64][2]float64 {
	pairs, days := map[[2]int64][2]float64{}, map[[3]int64]float64{}
	for _, e := range all {
		key, day := [2]int64{e.visitor, e.item}, [3]int64{e.visitor, e.item, e.timestamp / int64(dayMS)}
		days[day] = max(days[day], weights[e.event]*decay(e, habitHalfLife, now))
		pairs[key] = [2]float64{pairs[key][0] + weights[e.event]*decay(e, halfLife, now)}
	}
	for day, w := range days {
		key := [2]int64{day[0], day[1]}
		pairs[key] = [2]float64{pairs[key][0], pairs[key][1] + w}
	}
	return pairs
}

// itemOf is an item in the list of a kind of event, or of all.
type itemOf struct {
	event string
	item  int64
}

// wantPopular gives the scores of the lists of popular items.
func wantPopular(all []touch, weights Weights, halfLife float64, now int64) map[itemOf]float64 {
	scores := map[itemOf]float64{}
	for _, e := range all {
		scores[itemOf{e.event, e.item}] += decay(e, halfLife, now)
		scores[itemOf{model.PopularAll, e.item}] += weights[e.event] * decay(e, halfLife, now)
	}
	return scores
}

// wantListed are those of the scores that have a place in the lists: the first of each, and the first of each category, which is the
// item's number modulo 7, but for 6.
func wantListed(scores map[itemOf]float64, limit, inCategory int) map[itemOf]bool {
	all := slices.SortedFunc(maps.Keys(scores), func(a, b itemOf) int {
		return cmp.Or(cmp.Compare(scores[b], scores[a]), cmp.Compare(a.item, b.item))
	})
	listed, overall, within := map[itemOf]bool{}, map[string]int{}, map[itemOf]int{}
	for _, key := range all {
		category := itemOf{key.event, key.item % 7}
		overall[key.event]++
		within[category]++
		if overall[key.event] <= limit || category.item < 6 && within[category] <= inCategory {
			listed[key] = true
		}
	}
	return listed
}

// matrix is S by row.
type matrix map[int64]map[int64]float64

func (m matrix) add(x, y int64, w float64) {
	if m[x] == nil {
		m[x] = map[int64]float64{}
	}
	m[x][y] += w
}

// leads reports whether the i-th event of a session tells where its j-th was come to from.
func leads(visit []touch, i, j int) bool {
	of := func(item int64) func(touch) bool { return func(e touch) bool { return e.item == item } }
	from, to := visit[i].item, visit[j].item
	return (from == to || !slices.ContainsFunc(visit[:j], of(to))) && !slices.ContainsFunc(visit[i+1:j], of(from))
}

// wantNear is the score of each pair of items, before widening, by the pairs of events that count.
func wantNear(all []touch, halfLife float64, now int64, counting func(visit []touch, i, j int) bool) matrix {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b touch) int {
		return cmp.Or(cmp.Compare(a.visitor, b.visitor), cmp.Compare(a.timestamp, b.timestamp), strings.Compare(a.id, b.id))
	})
	counts := matrix{}
	for from := 0; from < len(all); {
		to := from + 1
		for to < len(all) && all[to].visitor == all[from].visitor && all[to].timestamp-all[to-1].timestamp <= sessionPause.Milliseconds() {
			to++
		}
		visit := all[from:to]
		for i, a := range visit {
			steps := 0.0
			for j := i + 1; j < len(visit); j++ {
				if visit[j].timestamp != visit[j-1].timestamp {
					steps++
				}
				if steps > float64(rule.MaxSteps) {
					break
				}
				if !counting(visit, i, j) {
					continue
				}
				w := math.Pow(max(steps, 1), -0.5) * math.Pow(float64(len(visit)), -0.25) * decay(a, halfLife, now)
				counts.add(a.item, visit[j].item, w)
				if a.item != visit[j].item {
					counts.add(visit[j].item, a.item, 0.8*w)
				}
			}
		}
		from = to
	}
	rows, columns := map[int64]float64{}, map[int64]float64{}
	for x, row := range counts {
		for y, c := range row {
			rows[x] += c
			columns[y] += c
		}
	}
	for x, row := range counts {
		for y, c := range row {
			row[y] = c / (math.Pow(rows[x]+1, 0.75) * math.Pow(columns[y], 0.1))
		}
	}
	return counts
}

// wantWide adds what the nearest of each item are nearest to.
func wantWide(near matrix) matrix {
	type other struct {
		item  int64
		score float64
	}
	nearest := map[int64][]other{}
	wide := matrix{}
	for x, row := range near {
		for y, score := range row {
			wide.add(x, y, score)
			if x != y {
				nearest[x] = append(nearest[x], other{y, score})
			}
		}
		slices.SortFunc(nearest[x], func(a, b other) int { return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.item, b.item)) })
		nearest[x] = nearest[x][:min(rule.Hop, len(nearest[x]))]
	}
	for x, row := range nearest {
		for _, y := range row {
			for _, z := range nearest[y.item] {
				if z.item != x {
					wide.add(x, z.item, y.score*z.score)
				}
			}
		}
	}
	return wide
}
