package serve

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"cartwheel/internal/event"
	"cartwheel/internal/features"
	"cartwheel/internal/live"
	"cartwheel/internal/model"
)

// maxRecentItems is how many items a profile names.
const maxRecentItems = 20

type profileAnswer struct {
	Model       string    `json:"model_version"`
	VisitorID   string    `json:"visitorid"`
	FirstSeen   int64     `json:"first_seen"`
	LastSeen    int64     `json:"last_seen"`
	Views       int64     `json:"views"`
	Carts       int64     `json:"addtocarts"`
	Orders      int64     `json:"transactions"`
	Items       int64     `json:"items"`
	Sessions    int64     `json:"sessions"`
	RecentItems []string  `json:"recent_items"`
	Segment     *inGroup  `json:"segment"`  // null where the version has no segments
	Purchase    *foretold `json:"purchase"` // null where the version has no model of purchases
}

// visitorProfile answers GET /v1/visitors/{visitorid}: what is known of a visitor.
func visitorProfile(c *gin.Context, v *served) {
	known, ok := v.asked(c)
	if !ok {
		return
	}
	if v.profiles == nil {
		fail(c, http.StatusNotFound, "", fmt.Sprintf("version %s was trained without profiles of visitors", v.version))
		return
	}
	p, at := known.whole()
	if p.Events() == 0 {
		fail(c, http.StatusNotFound, "visitorid", fmt.Sprintf("nothing is known of the visitor %s", show(known.id)))
		return
	}
	answer := profileAnswer{Model: v.version, VisitorID: known.id, FirstSeen: p.FirstSeen, LastSeen: p.LastSeen, Views: p.Views, Carts: p.Carts, Orders: p.Orders,
		Items: p.Items, Sessions: p.Sessions, RecentItems: known.recentItems(), Segment: v.group(p, at)}
	if v.purchases != nil {
		told := v.foretell(known.recent())
		answer.Purchase = &told
	}
	answerBytes(c, encode(answer))
}

// knowledge is what is known of a visitor: what the version knows, and what has come since.
type knowledge struct {
	*served
	id     string
	since  []event.Event // oldest first
	erased bool
}

// asked reads which visitor a request without parameters is about.
func (v *served) asked(c *gin.Context) (*knowledge, bool) {
	id, ok := pathID(c, "visitorid")
	if !ok {
		return nil, false
	}
	if _, bad := query(c); bad != nil {
		refuse(c, bad)
		return nil, false
	}
	k := &knowledge{served: v, id: id}
	var events []live.Event
	events, k.erased = v.newer(id)
	for _, e := range events {
		k.since = append(k.since, event.Event{Timestamp: e.At, Event: e.Kind, ItemID: e.ItemID})
	}
	return k, true
}

// whole is all that the visitor did, and the moment that it is as of: that of the version, or just after what came since.
func (k *knowledge) whole() (p model.Profile, at int64) {
	made := k.manifest.Data.To.UnixMilli() + 1
	if k.segments != nil {
		made = k.manifest.Segments.At.UnixMilli()
	}
	at = k.moment(made)
	return k.extend(k.profiles, made, features.Window{At: at}), at
}

// recent is what the visitor did in the window that purchases are foretold from, and the moment that it is as of.
func (k *knowledge) recent() (p model.Profile, at int64) {
	made := k.manifest.Purchase.At.UnixMilli()
	at = k.moment(made)
	return k.extend(k.recentProfiles, made, k.purchases.Window(at)), at
}

// moment is at, or just after what came since.
func (k *knowledge) moment(at int64) int64 {
	for _, e := range k.since {
		at = max(at, e.Timestamp+1)
	}
	return at
}

// extend gives the visitor's profile in a window from that in a table, which was made as of a moment, and what came since.
func (k *knowledge) extend(profiles *model.Profiles, made int64, w features.Window) model.Profile {
	var p model.Profile
	if visitor, trained := k.visitors.Number(k.id); trained && !k.erased {
		p, _ = profiles.Of(visitor)
	}
	if len(k.since) == 0 {
		return p
	}
	days := float32(made-w.From) / float32((24 * time.Hour).Milliseconds())
	met := map[string]bool{}
	for item, age := range k.Touched(k.id) {
		if age <= days {
			met[item] = true
		}
	}
	return features.Extend(p, func(item string) bool { return met[item] }, k.since, w)
}

// recentItems are the items that the visitor touched last, each once, newest first.
func (k *knowledge) recentItems() []string {
	items := []string{}
	add := func(item string) bool {
		if !slices.Contains(items, item) {
			items = append(items, item)
		}
		return len(items) < maxRecentItems
	}
	for _, e := range slices.Backward(k.since) {
		if !add(e.ItemID) {
			return items
		}
	}
	for item := range k.Touched(k.id) {
		if !add(item) {
			break
		}
	}
	return items
}
