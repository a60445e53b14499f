package model

import (
	"fmt"
	"time"
)

// Segments describes into which groups the visitors of <version>/segments fall, or says why there are none. They are of everything
// that a visitor did: log(1 + feature), scaled by segments/scaler, grouped by segments/kmeans.
type Segments struct {
	None        string       `json:"none,omitempty"` // why there are none
	At          time.Time    `json:"at,omitzero"`    // the moment that the visitors' features are of
	Features    []string     `json:"features,omitempty"`
	Silhouettes []Silhouette `json:"silhouettes,omitempty"` // of the numbers of segments that were tried, on a sample
	Population  []float64    `json:"population,omitempty"`  // mean of each feature over all visitors
	Segments    []Segment    `json:"segments,omitempty"`    // in the order of KMeans' numbers
}

// Silhouette is how well a number of segments parts the visitors (Rousseeuw 1987, by squared distance), from -1 to 1.
type Silhouette struct {
	K     int     `json:"k"`
	Value float64 `json:"value"`
}

// Segment is a group of visitors. Its numbers are in the order of Segments.Features and in their units.
type Segment struct {
	Name     string    `json:"name"`
	Visitors int64     `json:"visitors"`
	Means    []float64 `json:"means"`
	Centre   []float64 `json:"centre"` // KMeans' own
}

// Check says what in the description cannot be served by.
func (s *Segments) Check() error {
	if len(s.Segments) > 0 && len(s.Population) != len(s.Features) {
		return fmt.Errorf("segments: %d means of all visitors, for %d features", len(s.Population), len(s.Features))
	}
	names := map[string]bool{}
	for i, segment := range s.Segments {
		switch {
		case segment.Name == "" || names[segment.Name]:
			return fmt.Errorf("segment %d has the name %.40q, which is empty or another's", i, segment.Name)
		case len(segment.Means) != len(s.Features) || len(segment.Centre) != len(s.Features):
			return fmt.Errorf("segment %d has %d means and a centre of %d numbers, for %d features", i, len(segment.Means), len(segment.Centre), len(s.Features))
		case segment.Visitors < 0:
			return fmt.Errorf("segment %d has %d visitors", i, segment.Visitors)
		}
		names[segment.Name] = true
	}
	return nil
}
