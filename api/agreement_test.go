package main

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"cartwheel/internal/model/modeltest"
)

// trained is a version that the training made on a real cluster: its purchase model is a random forest, its segments are five.
const trained = "../internal/model/testdata/20261124T220726Z-ab8338"

// Every visitor of a version that Spark trained is answered over HTTP with the very numbers that the readers of Spark's models give,
// and the segments hold as many of them as Spark counted.
func TestAnswersOfATrainedVersion(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	models, version := filepath.Join(data, "models"), filepath.Base(trained)
	if err := os.CopyFS(filepath.Join(models, version), os.DirFS(trained)); err != nil {
		t.Fatal(err)
	}
	modeltest.MakeChampion(t, models, version)
	p := start(t, data)
	p.ready(t, version)
	v, scorer, assigner := readers(t, trained)
	about := v.Manifest.Segments
	sizes, active := make([]int64, len(about.Segments)), 0
	for visitor := range int32(v.Visitors.Len()) {
		id := v.Visitors.Name(visitor)
		profile, known := v.Profiles.Of(visitor)
		if !known {
			t.Fatalf("%s has no profile", id)
		}
		a := p.do(t, "GET", "/v1/visitors/"+url.PathEscape(id), "")
		var got told
		a.into(t, &got)
		want := odds{scorer.Inactive(), v.Manifest.Purchase.LabelDays, false, v.Manifest.Purchase.At.UnixMilli()}
		if recent, ok := v.RecentProfiles.Of(visitor); ok {
			want.Active, want.Probability = true, scorer.Probability(recent, want.AsOf)
			active++
		}
		segment := assigner.Assign(profile, about.At.UnixMilli())
		if *got.Purchase != want || *got.Segment != (group{segment, about.Segments[segment].Name}) {
			t.Fatalf("%s is answered %s, the readers say %+v and segment %d", id, a.body, want, segment)
		}
		if got.Views != profile.Views || got.AddToCarts != profile.Carts || got.Orders != profile.Orders || got.Items != profile.Items || got.Sessions != profile.Sessions ||
			got.FirstSeen != profile.FirstSeen || got.LastSeen != profile.LastSeen || len(got.RecentItems) == 0 {
			t.Fatalf("%s is answered %s, the profile is %+v", id, a.body, profile)
		}
		sizes[got.Segment.ID]++
	}
	var list struct {
		Visitors int64
		Segments []struct {
			Visitors int64
			Means    map[string]float64
		}
	}
	p.do(t, "GET", "/v1/segments", "").into(t, &list)
	if active < 100 || list.Visitors != int64(v.Visitors.Len()) || len(list.Segments) != len(about.Segments) {
		t.Errorf("%d visitors are active; the list is of %d in %d segments", active, list.Visitors, len(list.Segments))
	}
	for i, s := range list.Segments {
		if s.Visitors != about.Segments[i].Visitors || s.Visitors != sizes[i] || s.Means[about.Features[0]] != about.Segments[i].Means[0] {
			t.Errorf("segment %d: %+v; %d visitors are answered with it, and Spark has %+v", i, s, sizes[i], about.Segments[i])
		}
	}
}
