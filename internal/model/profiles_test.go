package model

import (
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestProfilesGiveBackWhatWasPacked(t *testing.T) {
	t.Parallel()
	draw := rand.New(rand.NewPCG(1, 2))
	want := make([]Profile, 1000)
	var parts [2]profilesPart
	for v := range want {
		if v%3 == 0 {
			continue // without a profile
		}
		for i, number := range want[v].Numbers() {
			*number = draw.Int64N(1 << (1 + 3*i))
		}
		want[v].FirstSeen = draw.Int64N(1 << 42)
		want[v].LastSeen = want[v].FirstSeen + draw.Int64N(1<<35)
		if err := parts[v%2].add(int32(v), want[v]); err != nil {
			t.Fatal(err)
		}
	}
	profiles, err := gatherProfiles(table{parts: []string{"a", "b"}, pace: newPace(AtOnce)}, parts[:], len(want))
	if err != nil {
		t.Fatal(err)
	}
	if profiles.Len() != 666 {
		t.Errorf("%d profiles, want 666", profiles.Len())
	}
	for v := range want {
		if got, ok := profiles.Of(int32(v)); ok != (v%3 != 0) || got != want[v] {
			t.Fatalf("visitor %d: %+v, %v, want %+v", v, got, ok, want[v])
		}
	}
	for _, v := range []int32{-1, 1000, math.MaxInt32} {
		if _, ok := profiles.Of(v); ok {
			t.Errorf("visitor %d, who is none, has a profile", v)
		}
	}
	if _, ok := (*Profiles)(nil).Of(0); ok {
		t.Error("a profile came out of no table")
	}
}

func TestEveryFieldOfAProfileHasAColumn(t *testing.T) {
	t.Parallel()
	var p Profile
	if fields := reflect.TypeFor[Profile]().NumField(); len(ProfileColumns) != fields || len(p.Numbers()) != fields {
		t.Errorf("%d fields, %d columns, %d numbers", fields, len(ProfileColumns), len(p.Numbers()))
	}
	for i, number := range p.Numbers() {
		*number = int64(i) + 1
	}
	for v, i := reflect.ValueOf(p), 0; i < v.NumField(); i++ {
		if v.Field(i).Int() != int64(i)+1 {
			t.Errorf("the field %s is not number %d", v.Type().Field(i).Name, i)
		}
	}
}

func TestCheckRefusesWhatCannotBe(t *testing.T) {
	t.Parallel()
	sound := Profile{FirstSeen: 1, LastSeen: 5, Views: 3, Carts: 2, Orders: 1, Items: 3, Viewed: 2, Carted: 2, Bought: 1, ViewedCarted: 1, CartedBought: 1,
		Sessions: 2, RecentEvents: 3, RecentCarts: 1, Morning: 2, Afternoon: 2, Evening: 1, Weekend: 6}
	if err := sound.Check(); err != nil {
		t.Fatal(err)
	}
	for says, change := range map[string]func(*Profile){
		"views is -1":                       func(p *Profile) { p.Views = -1 },
		"views is 3000000000":               func(p *Profile) { p.Views = 3e9 },
		"first_seen is after":               func(p *Profile) { p.FirstSeen = 6 },
		"viewed_items is more than views":   func(p *Profile) { p.Viewed = 4 },
		"no addtocart_items":                func(p *Profile) { p.Carted, p.ViewedCarted, p.CartedBought, p.Items = 0, 0, 0, 3 },
		"viewed_addtocart_items is more":    func(p *Profile) { p.ViewedCarted = 3 },
		"addtocart_transaction_items is":    func(p *Profile) { p.CartedBought = 2 },
		"items is less":                     func(p *Profile) { p.Items = 1 },
		"items is more":                     func(p *Profile) { p.Items = 5 },
		"sessions is more":                  func(p *Profile) { p.Sessions = 7 },
		"no sessions":                       func(p *Profile) { p.Sessions = 0 },
		"recent_events is more":             func(p *Profile) { p.RecentEvents = 7 },
		"recent_addtocarts is more":         func(p *Profile) { p.RecentCarts = 3 },
		"morning, afternoon and evening":    func(p *Profile) { p.Evening = 3 },
		"weekend is more than the events":   func(p *Profile) { p.Weekend = 7 },
		"transaction_items is more than tr": func(p *Profile) { p.Bought = 2 },
	} {
		p := sound
		change(&p)
		var impossible *Impossible
		if err := p.Check(); !errors.As(err, &impossible) || !strings.Contains(err.Error(), says) || !slices.Contains(ProfileColumns, impossible.Column) {
			t.Errorf("error %v, want one that says %q and names the column", err, says)
		}
	}
}
