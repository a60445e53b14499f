package model

// Decision says whether a training found its version fit to be the champion, and why. It is what was decided when the version was
// made; what is served now, LATEST says.
type Decision struct {
	Promoted    bool         `json:"promoted"`
	Forced      bool         `json:"forced,omitempty"` // promoted although the comparison was against it, because somebody said so
	Reason      string       `json:"reason"`
	Champion    string       `json:"champion,omitempty"` // that of the time
	Comparisons []Comparison `json:"comparisons,omitempty"`
}

// Comparison is the difference between a version and something else on the same held-out questions of one kind.
type Comparison struct {
	With       string   `json:"with"`     // "popular", or the champion's version
	Question   string   `json:"question"` // the kind of question
	Metric     string   `json:"metric"`
	Cases      int      `json:"cases"`
	Visitors   int      `json:"visitors"`
	Difference Interval `json:"difference"` // the version's figure less the other's: a mean and its paired 95 % bootstrap interval over visitors
}

// Worse reports whether the version is worse than the other by more than chance explains, and Better the opposite.
func (c Comparison) Worse() bool  { return c.Difference.High < 0 }
func (c Comparison) Better() bool { return c.Difference.Low > 0 }
