package serve

import (
	"cmp"
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"cartwheel/internal/model"
)

// foretold is how likely somebody is to buy.
type foretold struct {
	Probability float64 `json:"probability"`
	WithinDays  int     `json:"within_days"`
	Active      bool    `json:"active"` // whether anything was done in the window before; if not, this is the rate of all like that
	AsOf        int64   `json:"as_of"`  // Unix ms
}

// foretell says how likely somebody of this profile is to buy from a moment on. The version must have a model of purchases.
func (v *served) foretell(p model.Profile, at int64) foretold {
	f := foretold{Probability: v.purchases.Inactive(), WithinDays: v.purchases.LabelDays(), Active: p.Events() > 0, AsOf: at}
	if f.Active {
		f.Probability = v.purchases.Probability(p, at)
	}
	return f
}

type purchaseAnswer struct {
	Model     string `json:"model_version"`
	VisitorID string `json:"visitorid,omitempty"`
	foretold
}

// visitorPurchase answers GET /v1/visitors/{visitorid}/purchase-probability.
func visitorPurchase(c *gin.Context, v *served) {
	known, ok := v.asked(c)
	if !ok || !v.hasPurchases(c) {
		return
	}
	answerBytes(c, encode(purchaseAnswer{v.version, known.id, v.foretell(known.recent())}))
}

// purchaseOf answers POST /v1/purchase-probability.
func purchaseOf(c *gin.Context, v *served) {
	told, ok := readDeeds(c)
	if !ok || !v.hasPurchases(c) {
		return
	}
	p, bad := told.profile(v.purchases.Window(told.at))
	if bad != nil {
		refuse(c, bad)
		return
	}
	answerBytes(c, encode(purchaseAnswer{Model: v.version, foretold: v.foretell(p, told.at)}))
}

// hasPurchases answers where the version has no model of purchases.
func (v *served) hasPurchases(c *gin.Context) bool {
	if v.purchases != nil {
		return true
	}
	why := ""
	if p := v.manifest.Purchase; p != nil {
		why = p.None
	}
	fail(c, http.StatusNotFound, "", fmt.Sprintf("version %s has no model of purchases: %s", v.version, cmp.Or(why, "its training made none")))
	return false
}
