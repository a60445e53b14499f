package modeltest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"cartwheel/internal/model"
)

// End is the end of a written version's data, which its profiles and segments are as of.
var End = time.Date(2015, 9, 18, 3, 0, 0, 0, time.UTC)

// The purchases of a written version are foretold for so many days from what was done in so many before.
const (
	WindowDays = 14
	LabelDays  = 7
	// InactiveRate is the probability of who did nothing in the window.
	InactiveRate = 0.0125
)

// segmentFeatures are what visitors fall into segments by.
var segmentFeatures = []string{"views", "transactions", "recency_days"}

// Rows as Spark writes them.
type (
	profileRow struct {
		Visitor                   int32 `parquet:"visitor"`
		FirstSeen                 int64 `parquet:"first_seen"`
		LastSeen                  int64 `parquet:"last_seen"`
		Views                     int64 `parquet:"views"`
		Carts                     int64 `parquet:"addtocarts"`
		Orders                    int64 `parquet:"transactions"`
		Items                     int64 `parquet:"items"`
		ViewedItems               int64 `parquet:"viewed_items"`
		CartedItems               int64 `parquet:"addtocart_items"`
		BoughtItems               int64 `parquet:"transaction_items"`
		ViewedAddtocartItems      int64 `parquet:"viewed_addtocart_items"`
		AddtocartTransactionItems int64 `parquet:"addtocart_transaction_items"`
		Sessions                  int64 `parquet:"sessions"`
		RecentEvents              int64 `parquet:"recent_events"`
		RecentAddtocarts          int64 `parquet:"recent_addtocarts"`
		Morning                   int64 `parquet:"morning"`
		Afternoon                 int64 `parquet:"afternoon"`
		Evening                   int64 `parquet:"evening"`
		Weekend                   int64 `parquet:"weekend"`
	}
	vector struct {
		Type    int32     `parquet:"type"`
		Size    int32     `parquet:"size,optional"`
		Indices []int32   `parquet:"indices,list,optional"`
		Values  []float64 `parquet:"values,list,optional"`
	}
	matrix struct {
		Type         int32     `parquet:"type"`
		NumRows      int32     `parquet:"numRows"`
		NumCols      int32     `parquet:"numCols"`
		ColPtrs      []int32   `parquet:"colPtrs,list,optional"`
		RowIndices   []int32   `parquet:"rowIndices,list,optional"`
		Values       []float64 `parquet:"values,list,optional"`
		IsTransposed bool      `parquet:"isTransposed"`
	}
	logisticRow struct {
		NumClasses  int32  `parquet:"numClasses"`
		NumFeatures int32  `parquet:"numFeatures"`
		Intercept   vector `parquet:"interceptVector,optional"`
		Matrix      matrix `parquet:"coefficientMatrix,optional"`
		Multinomial bool   `parquet:"isMultinomial"`
	}
	scalerRow struct {
		Std  vector `parquet:"std,optional"`
		Mean vector `parquet:"mean,optional"`
	}
	clusterRow struct {
		ID     int32  `parquet:"clusterIdx"`
		Center vector `parquet:"clusterCenter,optional"`
	}
)

func dense(values ...float64) vector { return vector{Type: 1, Values: values} }

// randomProfile is what a visitor may have done who touched so many items. Its last event may lie in the window before End, or not.
func randomProfile(r *rand.Rand, items int64) model.Profile {
	p := model.Profile{Views: items + r.Int64N(3), Items: items, Viewed: items, Sessions: 1}
	p.Carted = r.Int64N(items + 1)
	p.Carts, p.ViewedCarted = p.Carted, p.Carted
	p.Bought = r.Int64N(p.Carted + 1)
	p.Orders, p.CartedBought = p.Bought, p.Bought
	p.Morning, p.Weekend = r.Int64N(p.Views), r.Int64N(p.Views)
	p.LastSeen = End.UnixMilli() - (3+r.Int64N(27))*24*3600_000 - r.Int64N(1000) - 1 // nothing is recent
	p.FirstSeen = p.LastSeen - r.Int64N(1000_000)
	return p
}

// foretell writes profiles, and with features a purchase model of them and segments, and describes them in the manifest.
func foretell(tb testing.TB, dir string, spec Spec, m *model.Manifest) {
	tb.Helper()
	if spec.Profiles == nil {
		return
	}
	WriteTable(tb, filepath.Join(dir, "profiles"), profileRows(spec.Visitors, spec.Profiles), 2)
	if spec.Features == nil {
		return
	}
	window := End.AddDate(0, 0, -WindowDays).UnixMilli()
	recent := map[string]model.Profile{}
	for id, p := range spec.Profiles {
		if p.FirstSeen >= window {
			recent[id] = p
		}
	}
	WriteTable(tb, filepath.Join(dir, "recent_profiles"), profileRows(spec.Visitors, recent), 1)

	n := len(spec.Features)
	coefficients := make([]float64, n)
	for i := range coefficients {
		coefficients[i] = 0.3 * float64(i%5-2)
	}
	saved(tb, filepath.Join(dir, "purchase"), "classification.LogisticRegressionModel", "", logisticRow{2, int32(n), dense(-2),
		matrix{Type: 1, NumRows: 1, NumCols: int32(n), Values: coefficients, IsTransposed: true}, false})
	m.Purchase = &model.Purchase{Model: "LogisticRegression", Features: spec.Features, Log1p: true, WindowDays: WindowDays, LabelDays: LabelDays, At: End,
		Calibration: model.Calibration{Slope: 0.9, Intercept: -0.5}, InactiveRate: InactiveRate}

	means, std := make([]float64, len(segmentFeatures)), make([]float64, len(segmentFeatures))
	for i := range std {
		means[i], std[i] = 0.5, 1.5
	}
	saved(tb, filepath.Join(dir, "segments/scaler"), "feature.StandardScalerModel", `,"paramMap":{"withMean":true,"withStd":true}`, scalerRow{dense(std...), dense(means...)})
	saved(tb, filepath.Join(dir, "segments/kmeans"), "clustering.KMeansModel", `,"paramMap":{"distanceMeasure":"euclidean"}`,
		clusterRow{0, dense(0.1, -0.3, 1)}, clusterRow{1, dense(0.5, 0.4, 1)})
	m.Segments = &model.Segments{At: End, Features: segmentFeatures, Population: []float64{2, 0.5, 12},
		Segments: []model.Segment{{Name: "window shoppers", Visitors: int64(len(spec.Visitors)) - 1, Means: []float64{1, 0, 15}, Centre: []float64{1, 0, 15}},
			{Name: "frequent buyers", Visitors: 1, Means: []float64{5, 2, 3}, Centre: []float64{5, 2, 3}}}}
}

func profileRows(visitors []string, profiles map[string]model.Profile) (rows []profileRow) {
	for i, id := range visitors {
		p, ok := profiles[id]
		if !ok {
			continue
		}
		row := profileRow{Visitor: int32(i)}
		fields := reflect.ValueOf(&row).Elem()
		for i, number := range p.Numbers() {
			fields.Field(i + 1).SetInt(*number)
		}
		rows = append(rows, row)
	}
	return rows
}

// saved writes a model as Spark's own writer lays it out: metadata as a line of JSON, and its data as Parquet.
func saved[T any](tb testing.TB, dir, class, params string, rows ...T) {
	tb.Helper()
	for _, folder := range []string{"metadata", "data"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	metadata := fmt.Sprintf(`{"class":"org.apache.spark.ml.%s","sparkVersion":"4.1.2"%s}`+"\n", class, params)
	if err := os.WriteFile(filepath.Join(dir, "metadata/part-00000-test-c000.txt"), []byte(metadata), 0o644); err != nil {
		tb.Fatal(err)
	}
	name := filepath.Join(dir, "data/part-00000-test-c000.snappy.parquet")
	if err := parquet.WriteFile(name, rows); err != nil {
		tb.Fatalf("writing %s: %v", name, err)
	}
}
