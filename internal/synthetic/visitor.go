package synthetic

import (
	"slices"

	"cartwheel/internal/event"
)

// visitor is someone who is in the shop or will come back.
type visitor struct {
	next    int64 // when they act next
	arrival int32 // how many came before them
	id      int32
	left    int32    // events still to come, the next one included
	order   int32    // number of the order being placed
	tastes  [3]int32 // leaf categories: the main one, a related one, another
	last    int32    // the item of the last event
	trail   []int32  // what they looked at, latest last
	cart    []int32  // what they put into the cart and have not bought
	intent  intent
	eager   int // permille of views after which they put the item into the cart
	restive int // permille of events after which they leave
}

// intent is what a visitor will do next.
type intent uint8

const (
	enter  intent = iota // begin a session
	browse               // go on looking
	reach                // put the last item into the cart
	pay                  // buy what is in the cart, one line of the order an event
)

const (
	trailLength = 6
	cartLength  = 4
)

// Pauses in milliseconds. The one within a session is measured on the real data.
var (
	pauseInSession = []point{{0, 1_500}, {50, 7_000}, {100, 12_000}, {250, 28_000}, {500, 70_000}, {750, 185_000},
		{900, 493_000}, {950, 824_000}, {990, 1_542_000}, {1000, 1_799_000}}
	pauseBeforeCart    = []point{{0, 3_000}, {500, 25_000}, {900, 90_000}, {1000, 300_000}}
	pauseBeforePayment = []point{{0, 40_000}, {500, 180_000}, {900, 600_000}, {1000, 1_500_000}}
	pauseAway          = []point{{0, hour / 2}, {100, 2 * hour}, {300, 12 * hour}, {500, 26 * hour}, {700, 80 * hour}, {900, 320 * hour}, {1000, 1500 * hour}}
)

// sessionPause is the pause that ends a session.
const sessionPause = hour / 2

// enter lets the visitor of that number arrive.
func (t *trade) enter(k int, at int64) *visitor {
	v := &visitor{next: at, arrival: int32(k), id: t.crowd.ids[k], left: t.crowd.events[k], last: -1}
	t.catalogue.advance(t.dice, k)
	if item, ok := t.catalogue.discovery(t.dice, k); ok {
		v.last = item
		v.tastes[0] = t.catalogue.leafOf[item]
		t.catalogue.sawItem(item)
	} else {
		v.tastes[0] = t.catalogue.leaf(t.dice)
	}
	v.tastes[1] = t.catalogue.sibling(t.dice, v.tastes[0])
	v.tastes[2] = t.catalogue.leaf(t.dice)
	v.eager = []int{20, 20, 20, 20, 20, 20, 20, 120, 120, 600}[t.dice.below(10)]
	v.restive = []int{120, 250, 450}[t.dice.below(3)]
	return v
}

// act does what the visitor has in mind at v.next, and decides what comes after it and when.
func (t *trade) act(v *visitor) row {
	r := row{timestamp: v.next, visitor: v.id, kind: event.View}
	switch v.intent {
	case enter, browse:
		v.last = t.choose(v)
	case reach:
		r.kind = event.AddToCart
	case pay:
		r.kind, r.order = event.Transaction, v.order
		v.last = v.cart[0]
		v.cart = slices.Delete(v.cart, 0, 1)
	}
	r.item = t.catalogue.ids[v.last]
	t.catalogue.sawItem(v.last)
	t.count(r.kind)
	v.left--
	if v.left > 0 {
		t.decide(v, r.kind)
	}
	return r
}

// choose picks the next item to look at.
func (t *trade) choose(v *visitor) int32 {
	item := t.wanted(v)
	looksAgain := slices.Index(v.trail, item)
	if looksAgain >= 0 {
		v.trail = slices.Delete(v.trail, looksAgain, looksAgain+1)
	} else if len(v.trail) == trailLength {
		v.trail = slices.Delete(v.trail, 0, 1)
	}
	if v.left > 1 { // else there is no later to return in
		v.trail = append(v.trail, item)
	}
	return item
}

// wanted: in a session, the next item is the last one again, an earlier one, or near the last. A new session begins with something
// seen before or with what sells best among the visitor's tastes.
func (t *trade) wanted(v *visitor) int32 {
	d, c := t.dice, t.catalogue
	if len(v.trail) == 0 {
		if v.last >= 0 {
			return v.last // what they came for
		}
		return c.popular(d, v.tastes[0])
	}
	p := d.below(1000)
	if v.intent == enter {
		switch {
		case p < 300:
			return v.trail[d.below(len(v.trail))]
		case p < 500:
			return c.neighbour(d, v.last)
		}
		return c.popular(d, t.taste(v))
	}
	switch {
	case p < 170:
		return v.last
	case p < 420 && len(v.trail) > 1:
		return v.trail[d.below(len(v.trail)-1)]
	case p < 800:
		return c.neighbour(d, v.last)
	case p < 950:
		return c.popular(d, c.leafOf[v.last])
	}
	return c.popular(d, t.taste(v))
}

func (t *trade) taste(v *visitor) int32 {
	return v.tastes[[]int{0, 0, 0, 0, 0, 0, 1, 1, 1, 2}[t.dice.below(10)]]
}

// decide sets what the visitor will do next, and when, after an event of that kind.
func (t *trade) decide(v *visitor, kind string) {
	v.intent = browse
	switch kind {
	case event.View:
		if t.dice.chance(t.steer(v.eager, t.counts.Carts, realCarts)) {
			v.intent = reach
			t.wait(v, t.dice.from(pauseBeforeCart))
			return
		}
		if v.eager > 500 && t.dice.chance(t.steer(4, t.counts.OrderLines, realOrderLines)) { // bought without a cart
			t.addToCart(v)
			t.checkOut(v)
			return
		}
	case event.AddToCart:
		t.addToCart(v)
		if t.dice.chance(t.steer(450, t.counts.OrderLines, realOrderLines)) {
			t.checkOut(v)
			return
		}
	case event.Transaction:
		if len(v.cart) > 0 {
			v.intent = pay // the next line of the same order, at the same moment
			return
		}
	}
	if t.dice.chance(v.restive) {
		t.leave(v)
		return
	}
	t.wait(v, t.dice.from(pauseInSession))
}

func (t *trade) addToCart(v *visitor) {
	if len(v.cart) < cartLength && !slices.Contains(v.cart, v.last) {
		v.cart = append(v.cart, v.last)
	}
}

func (t *trade) checkOut(v *visitor) {
	t.counts.Orders++
	v.order = int32(t.counts.Orders)
	v.intent = pay
	t.wait(v, t.dice.from(pauseBeforePayment))
}

// wait stays in the session. Nobody waits longer than leaves room for the rest of their events before Last.
func (t *trade) wait(v *visitor, pause int64) {
	v.next += max(1, min(pause, (Last-v.next)/int64(v.left)))
}

// leave ends the session; the visitor comes back at a time when people come.
func (t *trade) leave(v *visitor) {
	v.intent = enter
	now := t.clock.traffic(v.next)
	room := t.clock.traffic(Last) - now
	away := int64(mulDiv(uint64(t.dice.from(pauseAway)), uint64(t.clock.traffic(Last)), uint64(Last-First)))
	if most := room / int64(1+v.left/3); away > most { // the busy come back sooner
		away = most/2 + int64(t.dice.below(int(most/2)+1))
	}
	back := max(t.clock.at(now+away), v.next+sessionPause+1000)
	v.next = max(v.next+1, min(back, Last-int64(v.left)+1))
}
