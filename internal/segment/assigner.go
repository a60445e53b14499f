package segment

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"cartwheel/internal/features"
	"cartwheel/internal/model"
	"cartwheel/internal/predict"
)

// Assigner tells to which segment of a version a visitor belongs. It is safe for concurrent use.
type Assigner struct {
	about    *model.Segments
	places   []int // of the segments' features among all features
	scaler   *predict.Scaler
	clusters *predict.KMeans
}

// Load reads the segments of the version in dir, which about describes. Errors wrap model.ErrBadVersion.
func Load(dir string, about *model.Segments) (*Assigner, error) {
	if err := about.Check(); err != nil {
		return nil, fmt.Errorf("%w: %w", model.ErrBadVersion, err)
	}
	a := &Assigner{about: about}
	for _, name := range about.Features {
		place := slices.Index(features.VisitorNames(), name)
		if place < 0 {
			return nil, fmt.Errorf("%w: its segments are by the feature %.40q, which this program does not know", model.ErrBadVersion, name)
		}
		a.places = append(a.places, place)
	}
	var err error
	if a.scaler, err = predict.LoadScaler(filepath.Join(dir, scalerDir)); err != nil {
		return nil, fmt.Errorf("%w: its segments: %w", model.ErrBadVersion, err)
	}
	if a.clusters, err = predict.LoadKMeans(filepath.Join(dir, kMeansDir)); err != nil {
		return nil, fmt.Errorf("%w: its segments: %w", model.ErrBadVersion, err)
	}
	n := len(about.Features)
	if a.scaler.Features() != n || a.clusters.Features() != n || len(a.clusters.Centers()) != len(about.Segments) {
		return nil, fmt.Errorf("%w: its segments: %d features, %d numbers scaled, %d clusters of %d numbers, %d segments", model.ErrBadVersion,
			n, a.scaler.Features(), len(a.clusters.Centers()), a.clusters.Features(), len(about.Segments))
	}
	return a, nil
}

// Assign returns the number of the segment of a visitor with this profile, of all that he did up to the moment at, Unix ms.
func (a *Assigner) Assign(p model.Profile, at int64) int {
	values := features.Values(p, at)
	row := make([]float64, len(a.places))
	for i, place := range a.places {
		row[i] = math.Log1p(values[place])
	}
	a.scaler.Scale(row)
	return a.clusters.Predict(row)
}
