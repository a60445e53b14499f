package synthetic

// crowd says, for each visitor in order of arrival, how many events there will be and which id they bear.
type crowd struct {
	events []int32
	ids    []int32
}

func newCrowd(d dice, visitors, events int) crowd {
	c := crowd{events: eventCounts(visitors, events), ids: d.numbers(visitors, visitors)}
	// The last visitor to come has but one event (the counts descend): it is the last of the data set.
	shuffle(d, c.events[:visitors-1])
	// Who comes late has no time for much: change places with someone who came early.
	for k := visitors - visitors/16; k < visitors-1; k++ {
		early := visitors - 1 - k
		if c.events[k] > c.events[early] {
			c.events[k], c.events[early] = c.events[early], c.events[k]
		}
	}
	return c
}

// eventCounts splits events among visitors, most first, by a Waring distribution: the share of visitors with more than k events is the
// share with more than k-1, times (k-1+c)/(k-1+c+b). Its c and b give the real file's mean (1.9577) and its 71 % of visitors with
// a single event, and a tail that falls as k^-1.734. What rounding leaves over goes to the heads of the tail.
func eventCounts(visitors, events int) []int32 {
	const (
		unit = 10_000
		c, b = 7_029, 17_340
		one  = uint64(1) << 40
	)
	counts := make([]int32, visitors)
	left := events
	share := one
	for k := uint64(1); ; k++ {
		n := int(mulDiv(uint64(visitors), share, one))
		if n == 0 {
			break
		}
		for i := range n {
			counts[i]++
		}
		left -= n
		share = mulDiv(share, (k-1)*unit+c, (k-1)*unit+c+b)
	}
	for i := 0; left > 0; i++ {
		part := (left + 1) / 2
		if i == visitors-1 {
			part = left
		}
		counts[i] += int32(part)
		left -= part
	}
	return counts
}
