package synthetic

import (
	"sort"
	"time"
)

const hour = int64(3600_000)

// How busy the shop is by hour of day (UTC) and by weekday, from Sunday: shares in permille, measured on the real data.
var (
	hourShare = [24]int64{56, 53, 52, 52, 53, 48, 28, 16, 7, 6, 6, 6, 10, 19, 27, 46, 56, 70, 65, 74, 71, 71, 62, 54}
	dayShare  = [7]int64{119, 163, 167, 161, 154, 132, 106}
)

// clock turns time into traffic and back. Traffic is what the shop has been through since First, as its daily and weekly rhythm has
// it: a night adds little to it. What is spread evenly over traffic keeps to that rhythm.
type clock struct {
	base   int64   // the hour in which First lies
	before []int64 // before[i] is the traffic between base and base + i hours
	open   int64   // the traffic between base and First
}

func newClock() clock {
	c := clock{base: First - First%hour}
	sum := int64(0)
	for at := c.base; at <= Last+hour; at += hour {
		c.before = append(c.before, sum)
		t := time.UnixMilli(at).UTC()
		sum += hour * hourShare[t.Hour()] * dayShare[t.Weekday()]
	}
	c.open = c.raw(First)
	return c
}

func (c clock) raw(ms int64) int64 {
	i := (ms - c.base) / hour
	return c.before[i] + (ms-c.base-i*hour)*((c.before[i+1]-c.before[i])/hour)
}

// traffic tells how much there has been at a time between First and Last.
func (c clock) traffic(ms int64) int64 { return c.raw(ms) - c.open }

// at is the time at which there has been so much traffic, at the latest Last.
func (c clock) at(traffic int64) int64 {
	traffic += c.open
	i := sort.Search(len(c.before), func(i int) bool { return c.before[i] > traffic }) - 1
	if i+1 >= len(c.before) {
		return Last
	}
	return min(Last, c.base+int64(i)*hour+(traffic-c.before[i])/((c.before[i+1]-c.before[i])/hour))
}

// arrival is where the k-th of n arrivals falls when they are spread evenly over all traffic; within is its place among its
// neighbours, 0 to 999.
func (c clock) arrival(k, n, within int) int64 {
	return c.at(int64(mulDiv(uint64(c.traffic(Last)), uint64(k)*1000+uint64(within), uint64(n)*1000)))
}
