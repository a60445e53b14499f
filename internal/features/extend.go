package features

import (
	"cartwheel/internal/event"
	"cartwheel/internal/model"
)

// Extend counts later events into a visitor's profile, which is of events before them, and gives the profile of both in a window. An
// item was met if the visitor had touched it when the profile was made.
//
// The result is what ProfileOf gives of all the events, as far as a profile can tell. Where it cannot, that is taken which is nearly
// always so: an item that was met was looked at, and not yet put into the cart or bought; what begins within the window or reaches
// into it lies in it whole, and so for the recent events. model.Profile.Check holds for it.
func Extend(p model.Profile, met func(itemID string) bool, later []event.Event, w Window) model.Profile {
	q := ProfileOf(later, w)
	if p.Events() == 0 || p.LastSeen < w.From {
		return q
	}
	p.FirstSeen = max(p.FirstSeen, w.From)
	if p.LastSeen < w.At-recent.Milliseconds() {
		p.RecentEvents, p.RecentCarts = 0, 0
	}
	if q.Events() == 0 {
		return p
	}
	p.Sessions += q.Sessions
	if gap := sessionPause.Milliseconds(); q.FirstSeen-p.LastSeen <= gap && p.FirstSeen-q.LastSeen <= gap {
		p.Sessions-- // they went on with what was under way
	}
	looked := p.Viewed > 0 // where nothing was looked at, what was met was met otherwise
	for id, did := range actsOf(later, w) {
		known := met(id)
		add(&p.Items, !known)
		add(&p.Viewed, did.viewed && !(known && looked))
		add(&p.Carted, did.carted)
		add(&p.Bought, did.bought)
		add(&p.ViewedCarted, did.carted && (did.viewed || known && looked))
		add(&p.CartedBought, did.bought && (did.carted || known && p.Carts > 0))
	}
	p.Viewed, p.Carted, p.Bought = min(p.Viewed, p.Items), min(p.Carted, p.Items), min(p.Bought, p.Items)
	p.ViewedCarted, p.CartedBought = min(p.ViewedCarted, p.Viewed, p.Carted), min(p.CartedBought, p.Carted, p.Bought)
	p.FirstSeen, p.LastSeen = min(p.FirstSeen, q.FirstSeen), max(p.LastSeen, q.LastSeen)
	for _, sum := range []struct {
		of  *int64
		and int64
	}{{&p.Views, q.Views}, {&p.Carts, q.Carts}, {&p.Orders, q.Orders}, {&p.RecentEvents, q.RecentEvents}, {&p.RecentCarts, q.RecentCarts},
		{&p.Morning, q.Morning}, {&p.Afternoon, q.Afternoon}, {&p.Evening, q.Evening}, {&p.Weekend, q.Weekend}} {
		*sum.of += sum.and
	}
	return p
}
