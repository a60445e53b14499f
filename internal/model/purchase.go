package model

import (
	"fmt"
	"time"
)

// Purchase describes the model in <version>/purchase that tells who will buy, or says why there is none. A visitor's features are of
// what he did in the window before a moment; the question is whether he buys in the days after it.
type Purchase struct {
	Model      string   `json:"model,omitempty"` // the candidate that was kept; empty where there is no model
	None       string   `json:"none,omitempty"`  // why there is no model
	Features   []string `json:"features,omitempty"`
	Log1p      bool     `json:"log1p,omitempty"` // the model takes log(1 + feature)
	WindowDays int      `json:"window_days"`
	LabelDays  int      `json:"label_days"`

	At time.Time `json:"at,omitzero"` // the moment that recent_profiles are of, and the visitors' features

	// Calibration turns the model's probabilities, which the weights of the classes have moved, into rates that are met.
	Calibration Calibration `json:"calibration"`
	// InactiveRate is the share that bought among visitors whose last event lay before the window. They have no features.
	InactiveRate  float64 `json:"inactive_rate"`
	InactiveAsked int64   `json:"inactive_asked"`

	// How it was measured: trained on the moments TrainedAt, calibrated by what followed CalibratedAt, and asked about what followed
	// TestedAt. The model that is kept was made the same way one label period later, with CalibratedAt among the moments it was
	// trained on and TestedAt for its calibration.
	TrainedAt    []time.Time `json:"trained_at,omitempty"`
	CalibratedAt time.Time   `json:"calibrated_at,omitzero"`
	TestedAt     time.Time   `json:"tested_at,omitzero"`
	Trained      Outcomes    `json:"trained"`
	Tested       Outcomes    `json:"tested"`
	// BaseRate is the share of buyers among those tested, by weight: the area under the precision-recall curve of a model that knows
	// nothing.
	BaseRate float64 `json:"base_rate"`
	// SampleRate is the share of the visitors who bought nothing in any label period that took part, each standing for 1/SampleRate.
	SampleRate float64             `json:"sample_rate"`
	Candidates []PurchaseCandidate `json:"candidates,omitempty"` // by area under the precision-recall curve, best first
}

// Outcomes count how it went on with visitors who were looked at, as sampled.
type Outcomes struct {
	Visitors int64 `json:"visitors"` // one who was looked at at several moments counts for each
	Buyers   int64 `json:"buyers"`
}

// Calibration is Platt's (1999): the probability is 1/(1 + exp(-(Slope·logit(p) + Intercept))) for the model's p.
type Calibration struct {
	Slope     float64 `json:"slope"`
	Intercept float64 `json:"intercept"`
}

// PurchaseCandidate is a kind of model and how it did on the later period.
type PurchaseCandidate struct {
	Model       string           `json:"model"`
	PR          Interval         `json:"area_under_pr"`
	ROC         Interval         `json:"area_under_roc"`
	Brier       Interval         `json:"brier"` // of the calibrated probabilities
	Calibration Calibration      `json:"calibration"`
	Reliability []ReliabilityRow `json:"reliability"` // by calibrated probability, least first
}

// ReliabilityRow holds visitors of about the same probability against what they did.
type ReliabilityRow struct {
	Visitors  float64 `json:"visitors"`
	Predicted float64 `json:"predicted"` // mean probability
	Observed  float64 `json:"observed"`  // share that bought
}

// maxDays bounds the days of a window; with it, no time in milliseconds overflows.
const maxDays = 36_500

// Check says what in the description cannot be served by.
func (p *Purchase) Check() error {
	switch {
	case p.WindowDays < 1 || p.LabelDays < 1 || max(p.WindowDays, p.LabelDays) > maxDays:
		return fmt.Errorf("purchase: a window of %d days and a label of %d", p.WindowDays, p.LabelDays)
	case p.Model == "":
		return nil
	case !finite(p.Calibration.Slope) || !finite(p.Calibration.Intercept):
		return fmt.Errorf("purchase: the calibration is %v, %v", p.Calibration.Slope, p.Calibration.Intercept)
	case !(p.InactiveRate >= 0 && p.InactiveRate <= 1):
		return fmt.Errorf("purchase: the rate of the inactive is %v", p.InactiveRate)
	}
	return nil
}
