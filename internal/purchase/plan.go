package purchase

import (
	"fmt"
	"time"

	"cartwheel/internal/features"
)

const day = int64(24 * time.Hour / time.Millisecond)

// moments is how many moments models are trained on at most.
const moments = 4

// plan says at which moments visitors are looked at. Each is a label period after the one before, so that no two label periods share
// an event: what a model is trained on ends before what it is calibrated by begins, and that before what it is asked about.
type plan struct {
	label     int64             // ms
	train     []features.Window // earliest first
	calibrate features.Window
	test      features.Window // its label period is the last of the data
}

// newPlan lays the moments out from the end of the data, whose events lie between from and to.
func newPlan(from, to int64, windowDays, labelDays int) (plan, error) {
	label, window := int64(labelDays)*day, int64(windowDays)*day
	at := to + 1 - label
	next := func() features.Window {
		w := features.Window{From: at - window, At: at}
		at -= label
		return w
	}
	p := plan{label: label, test: next(), calibrate: next()}
	for len(p.train) < moments && at-from >= label {
		p.train = append([]features.Window{next()}, p.train...)
	}
	if len(p.train) == 0 {
		return p, &tooLittle{fmt.Sprintf("the events span %.1f days; at least %d are needed, four times the %d days after a moment that a purchase is looked for in",
			float64(to+1-from)/float64(day), 4*labelDays, labelDays)}
	}
	return p, nil
}

// later is the plan for the model that is kept: everything one label period on, with the test's period for calibration.
func (p plan) later() plan {
	train := append(p.train[:len(p.train):len(p.train)], p.calibrate)
	return plan{label: p.label, train: train[max(0, len(train)-moments):], calibrate: p.test}
}

func (p plan) windows() []features.Window {
	return append(p.train[:len(p.train):len(p.train)], p.calibrate, p.test)
}

// tooLittle says why there can be no model. It is no failure of the training.
type tooLittle struct{ why string }

func (e *tooLittle) Error() string { return e.why }
