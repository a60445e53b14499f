package model

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Profile is what a visitor did within some stretch of time, as whole numbers from which every feature follows. Times are Unix
// milliseconds, hours and days are UTC's. The zero value stands for a visitor who did nothing.
type Profile struct {
	FirstSeen, LastSeen       int64
	Views, Carts, Orders      int64 // events by kind; an order counts by its lines
	Items                     int64 // distinct items, and of them:
	Viewed, Carted, Bought    int64
	ViewedCarted              int64 // both looked at and put into the cart
	CartedBought              int64 // both put into the cart and bought
	Sessions                  int64
	RecentEvents, RecentCarts int64 // within the last days before the moment that the profile is of
	Morning, Afternoon        int64 // events from 6 to 12 and from 12 to 18 o'clock
	Evening                   int64 // events from 18 to 24 o'clock
	Weekend                   int64 // events on Saturdays and Sundays
}

// Events is how many events the profile counts.
func (p *Profile) Events() int64 { return p.Views + p.Carts + p.Orders }

// ProfileColumns name the fields in a table of profiles, in the order of Numbers.
var ProfileColumns = []string{"first_seen", "last_seen", "views", "addtocarts", "transactions", "items", "viewed_items", "addtocart_items",
	"transaction_items", "viewed_addtocart_items", "addtocart_transaction_items", "sessions", "recent_events", "recent_addtocarts",
	"morning", "afternoon", "evening", "weekend"}

// Numbers are the fields, in the order of ProfileColumns.
func (p *Profile) Numbers() []*int64 {
	return []*int64{&p.FirstSeen, &p.LastSeen, &p.Views, &p.Carts, &p.Orders, &p.Items, &p.Viewed, &p.Carted,
		&p.Bought, &p.ViewedCarted, &p.CartedBought, &p.Sessions, &p.RecentEvents, &p.RecentCarts,
		&p.Morning, &p.Afternoon, &p.Evening, &p.Weekend}
}

// Impossible says which number of a profile cannot be, by its column, and why.
type Impossible struct{ Column, Why string }

func (e *Impossible) Error() string { return e.Why }

// Check says in which way a profile cannot be, if it cannot: a part greater than its whole. The error is an *Impossible.
func (p *Profile) Check() error {
	for i, n := range p.Numbers() {
		if *n < 0 {
			return &Impossible{ProfileColumns[i], fmt.Sprintf("%s is %d", ProfileColumns[i], *n)}
		}
	}
	// No sum below can overflow once every count is below this.
	for i, n := range p.Numbers()[2:] {
		if column := ProfileColumns[i+2]; *n > math.MaxInt32 {
			return &Impossible{column, fmt.Sprintf("%s is %d, more than %d", column, *n, math.MaxInt32)}
		}
	}
	for _, bound := range []struct {
		part   int64
		whole  int64
		column string
		says   string
	}{
		{p.FirstSeen, p.LastSeen, "first_seen", "first_seen is after last_seen"},
		{p.Viewed, p.Views, "viewed_items", "viewed_items is more than views"},
		{p.Carted, p.Carts, "addtocart_items", "addtocart_items is more than addtocarts"},
		{p.Bought, p.Orders, "transaction_items", "transaction_items is more than transactions"},
		{min(p.Views, 1), p.Viewed, "viewed_items", "there are views but no viewed_items"},
		{min(p.Carts, 1), p.Carted, "addtocart_items", "there are addtocarts but no addtocart_items"},
		{min(p.Orders, 1), p.Bought, "transaction_items", "there are transactions but no transaction_items"},
		{p.ViewedCarted, min(p.Viewed, p.Carted), "viewed_addtocart_items", "viewed_addtocart_items is more than viewed_items or than addtocart_items"},
		{p.CartedBought, min(p.Carted, p.Bought), "addtocart_transaction_items", "addtocart_transaction_items is more than addtocart_items or than transaction_items"},
		{max(p.Viewed, p.Carted, p.Bought), p.Items, "items", "items is less than the items of one kind of event"},
		{p.Items, p.Viewed + p.Carted + p.Bought - p.ViewedCarted, "items", "items is more than the items of all kinds of event together"},
		{p.Items, p.Viewed + p.Carted + p.Bought - p.CartedBought, "items", "items is more than the items of all kinds of event together"},
		{p.Sessions, p.Events(), "sessions", "sessions is more than the events"},
		{min(p.Events(), 1), p.Sessions, "sessions", "there are events but no sessions"},
		{p.RecentEvents, p.Events(), "recent_events", "recent_events is more than the events"},
		{p.RecentCarts, min(p.RecentEvents, p.Carts), "recent_addtocarts", "recent_addtocarts is more than recent_events or than addtocarts"},
		{p.Morning + p.Afternoon + p.Evening, p.Events(), "evening", "morning, afternoon and evening together are more than the events"},
		{p.Weekend, p.Events(), "weekend", "weekend is more than the events"},
	} {
		if bound.part > bound.whole {
			return &Impossible{bound.column, bound.says}
		}
	}
	return nil
}

// Profiles are the profiles of a version's visitors, by their numbers. Most visitors of a shop did one thing once, so the numbers are
// kept as varints: some 25 bytes a visitor.
type Profiles struct {
	offsets []uint32 // into data; of visitor v from offsets[v] to offsets[v+1]
	data    []byte
	known   int
}

// Len is how many visitors have a profile.
func (p *Profiles) Len() int { return p.known }

// Of returns a visitor's profile, or false where the visitor did nothing in the time that the profiles are of.
func (p *Profiles) Of(visitor int32) (profile Profile, ok bool) {
	if p == nil || visitor < 0 || int(visitor)+1 >= len(p.offsets) {
		return profile, false
	}
	data := p.data[p.offsets[visitor]:p.offsets[visitor+1]]
	if len(data) == 0 {
		return profile, false
	}
	for _, number := range profile.Numbers() {
		v, n := binary.Uvarint(data)
		*number, data = int64(v), data[n:]
	}
	profile.LastSeen += profile.FirstSeen
	return profile, true
}

// profilesPart is one Parquet file's share of the profiles, as Profiles keeps them.
type profilesPart struct {
	visitors []int32
	ends     []uint32 // by row: where its profile ends in data
	data     []byte
}

func (p *profilesPart) add(visitor int32, profile Profile) error {
	profile.LastSeen -= profile.FirstSeen
	for _, number := range profile.Numbers() {
		p.data = binary.AppendUvarint(p.data, uint64(*number))
	}
	if len(p.data) > math.MaxUint32 {
		return errors.New("the profiles have more bytes than can be addressed")
	}
	p.visitors, p.ends = append(p.visitors, visitor), append(p.ends, uint32(len(p.data)))
	return nil
}

// loadProfiles reads a table of profiles: visitor int32 and ProfileColumns, int64.
func loadProfiles(t table, visitors int) (*Profiles, error) {
	parts := make([]profilesPart, len(t.parts))
	err := t.each(func(i int, f *parquetFile) error {
		numbers, err := flat[int32](f, "visitor")
		if err != nil {
			return err
		}
		columns := make([][]int64, len(ProfileColumns))
		for c, name := range ProfileColumns {
			if columns[c], err = flat[int64](f, name); err != nil {
				return err
			}
		}
		for row, visitor := range numbers {
			f.pace.rest()
			var profile Profile
			for c, number := range profile.Numbers() {
				*number = columns[c][row]
			}
			if err := profile.Check(); err != nil {
				return fmt.Errorf("the profile of visitor %d: %w", visitor, err)
			}
			if err := parts[i].add(visitor, profile); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return gatherProfiles(t, parts, visitors)
}

// gatherProfiles puts the profiles of all parts in the order of the visitors' numbers.
func gatherProfiles(t table, parts []profilesPart, visitors int) (*Profiles, error) {
	p := &Profiles{offsets: make([]uint32, visitors+1)}
	total := 0
	for i, part := range parts {
		for row, visitor := range part.visitors {
			if visitor < 0 || int(visitor) >= visitors {
				return nil, fmt.Errorf("%w: %s holds visitor %d, beyond the %d known", ErrBadVersion, t.parts[i], visitor, visitors)
			}
			if p.offsets[visitor+1] != 0 {
				return nil, fmt.Errorf("%w: %s holds visitor %d a second time", ErrBadVersion, t.parts[i], visitor)
			}
			from, to := span(part.ends, row)
			p.offsets[visitor+1] = to - from
			p.known++
		}
		total += len(part.data)
	}
	if total > math.MaxUint32 {
		return nil, fmt.Errorf("%w: the table %s has %d bytes of profiles, more than can be addressed", ErrBadVersion, t.name, total)
	}
	for v := range visitors {
		p.offsets[v+1] += p.offsets[v]
	}
	p.data = make([]byte, total)
	for _, part := range parts {
		for row, visitor := range part.visitors {
			t.pace.rest()
			from, to := span(part.ends, row)
			copy(p.data[p.offsets[visitor]:], part.data[from:to])
		}
	}
	return p, nil
}
