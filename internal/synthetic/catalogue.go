package synthetic

import "math"

const (
	groupSize     = 4  // leaves under one inner category
	rootSize      = 13 // inner categories under one root
	itemsPerLeaf  = 60
	atOpening     = 450 // permille of the items that are on the shelves from the first day
	lastBirth     = 950 // permille of the arrivals after which no item appears
	hits          = 150 // permille of the new items that tend to sell well at once
	neighbourSpan = 5   // how far apart on the shelf alternatives stand
)

// catalogue is what the shop sells: items on shelves, one shelf a leaf category. Items appear as visitors arrive; a new one takes a
// place among what its shelf sells, moves the rest down, and those at the end go out of sale. That is all the drift there is.
type catalogue struct {
	visitors int
	leaves   int
	busiest  []int32 // leaf categories, most visited first
	leafOf   []int32 // by item
	ids      []int32 // by item
	place    []int32 // by item: where on its shelf
	seen     []bool  // by item: has had an event
	unseen   int     // how many have not
	oldest   int     // every item before this one has been seen
	born     int     // items 0..born-1 have appeared
	shelves  []shelf
}

type shelf struct {
	items   []int32 // in the order in which they appeared: neighbours here are alternatives to each other
	selling []int32 // those on sale, best sellers first
}

func newCatalogue(d dice, s Sizes) *catalogue {
	c := &catalogue{visitors: s.Visitors, unseen: s.Items, leaves: min(realLeaves, max(1, s.Items/itemsPerLeaf))}
	c.busiest = d.numbers(c.leaves, c.leaves)
	c.leafOf = make([]int32, s.Items)
	for i := range c.leafOf {
		if i < c.leaves {
			c.leafOf[i] = int32(i) // no shelf is ever empty
		} else {
			c.leafOf[i] = c.leaf(d)
		}
	}
	c.ids = d.numbers(int(mulDiv(uint64(s.Items), realMaxItem, realItems))+1, s.Items)
	c.place = make([]int32, s.Items)
	c.seen = make([]bool, s.Items)
	c.shelves = make([]shelf, c.leaves)
	return c
}

// leaf draws a category as often as it is visited.
func (c *catalogue) leaf(d dice) int32 { return c.busiest[d.skewed(c.leaves, 2)] }

// sibling draws a leaf of the same inner category.
func (c *catalogue) sibling(d dice, leaf int32) int32 {
	first := int(leaf) / groupSize * groupSize
	return int32(first + d.below(min(groupSize, c.leaves-first)))
}

// popular draws an item of a shelf as often as it sells.
func (c *catalogue) popular(d dice, leaf int32) int32 {
	s := c.shelves[leaf].selling
	return s[d.skewed(len(s), 3)]
}

// neighbour draws an alternative to an item: one that stands near it.
func (c *catalogue) neighbour(d dice, item int32) int32 {
	shelf := c.shelves[c.leafOf[item]].items
	step := 1 + d.skewed(neighbourSpan, 2)
	if d.chance(500) {
		step = -step
	}
	at := int(c.place[item]) + step
	if at < 0 || at >= len(shelf) {
		at = int(c.place[item]) - step
	}
	if at < 0 || at >= len(shelf) {
		return item
	}
	return shelf[at]
}

// birth is the arrival with which an item appears.
func (c *catalogue) birth(item int) int {
	opening := max(c.leaves, len(c.leafOf)*atOpening/1000)
	if item < opening {
		return 0
	}
	span := c.visitors * lastBirth / 1000
	return 1 + (item-opening)*span/(len(c.leafOf)-opening)
}

// advance lets the items appear that are due when the visitor of that number arrives.
func (c *catalogue) advance(d dice, arrival int) {
	for c.born < len(c.leafOf) && c.birth(c.born) <= arrival {
		c.appear(d)
	}
}

func (c *catalogue) appear(d dice) {
	item := int32(c.born)
	c.born++
	s := &c.shelves[c.leafOf[item]]
	c.place[item] = int32(len(s.items))
	s.items = append(s.items, item)
	at := d.below(len(s.selling) + 1)
	if d.chance(hits) {
		at = d.skewed(len(s.selling)+1, 2)
	}
	s.selling = append(s.selling, 0)
	copy(s.selling[at+1:], s.selling[at:])
	s.selling[at] = item
	if c.birth(int(item)) > 0 && len(s.selling) > 1 && d.chance(500) {
		s.selling = s.selling[:len(s.selling)-1]
	}
}

// sawItem notes that an item has had an event.
func (c *catalogue) sawItem(item int32) {
	if !c.seen[item] {
		c.seen[item] = true
		c.unseen--
	}
}

// discovery is the item longest on the shelves that nobody has looked at yet, or none. A search engine brings people to such items;
// here it also sees to it that every item is seen before the visitors run out, if need be before its time.
func (c *catalogue) discovery(d dice, arrival int) (item int32, ok bool) {
	for c.oldest < len(c.seen) && c.seen[c.oldest] {
		c.oldest++
	}
	must := c.unseen > 0 && c.unseen >= c.visitors-arrival
	if must && c.oldest == c.born {
		c.appear(d)
	}
	if c.oldest < c.born && (must || d.chance(250)) {
		return int32(c.oldest), true
	}
	return math.MaxInt32, false
}
