package purchase

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"cartwheel/internal/features"
	"cartwheel/internal/model"
	"cartwheel/internal/predict"
)

// Scorer applies the model of a version. It is safe for concurrent use.
type Scorer struct {
	about      *model.Purchase
	kind       kind
	classifier predict.Classifier
}

// Load reads the purchase model of the version in dir, which about describes. Errors wrap model.ErrBadVersion.
func Load(dir string, about *model.Purchase) (*Scorer, error) {
	if err := about.Check(); err != nil {
		return nil, fmt.Errorf("%w: %w", model.ErrBadVersion, err)
	}
	if !slices.Equal(about.Features, features.VisitorNames()) {
		return nil, fmt.Errorf("%w: its purchase model takes the features %v, this program knows %v", model.ErrBadVersion, about.Features, features.VisitorNames())
	}
	classifier, err := predict.LoadClassifier(filepath.Join(dir, modelDir))
	if err != nil {
		return nil, fmt.Errorf("%w: its purchase model: %w", model.ErrBadVersion, err)
	}
	if classifier.Features() != len(about.Features) {
		return nil, fmt.Errorf("%w: its purchase model takes %d features, its manifest names %d", model.ErrBadVersion, classifier.Features(), len(about.Features))
	}
	return &Scorer{about, kind{name: about.Model, log1p: about.Log1p}, classifier}, nil
}

// LabelDays is within how many days the purchase is.
func (s *Scorer) LabelDays() int { return s.about.LabelDays }

// Window is what a profile must be of for a probability as of the moment at, Unix ms.
func (s *Scorer) Window(at int64) features.Window {
	return features.Window{From: at - int64(s.about.WindowDays)*(24*time.Hour).Milliseconds(), At: at}
}

// Probability is how likely a visitor of this profile is to buy in the LabelDays from the moment at on.
func (s *Scorer) Probability(p model.Profile, at int64) float64 {
	return apply(s.about.Calibration, s.classifier.Probability(s.kind.input(features.Values(p, at))))
}

// Inactive is how likely a visitor is to buy who did nothing in the window.
func (s *Scorer) Inactive() float64 { return s.about.InactiveRate }
