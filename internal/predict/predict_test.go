package predict

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// saved writes a model's folder as Spark lays it out.
type saved struct {
	t   *testing.T
	dir string
}

func save(t *testing.T, metadata string) saved {
	t.Helper()
	s := saved{t, t.TempDir()}
	s.file("metadata/part-00000-x-c000.txt", []byte(metadata+"\n"))
	s.file("metadata/_SUCCESS", nil)
	return s
}

func (s saved) file(name string, data []byte) {
	s.t.Helper()
	name = filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func tableOf[T any](s saved, name string, rows ...T) saved {
	s.t.Helper()
	dir := filepath.Join(s.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := parquet.WriteFile(filepath.Join(dir, "part-00000-x-c000.snappy.parquet"), rows); err != nil {
		s.t.Fatal(err)
	}
	return s
}

func metadataOf(class, rest string) string { return fmt.Sprintf(`{"class":%q%s}`, class, rest) }

func forestMetadata(trees, features int) string {
	return metadataOf(randomForestClassificationModel, fmt.Sprintf(`,"numTrees":%d,"numFeatures":%d,"numClasses":2`, trees, features))
}

func boostedMetadata(trees, features int) string {
	return metadataOf(gbtClassificationModel, fmt.Sprintf(`,"defaultParamMap":{"lossType":"logistic"},"numTrees":%d,"numFeatures":%d`, trees, features))
}

func leaf(tree, id int32, value float64, stats ...float64) nodeRow {
	return nodeRow{tree, nodeData{ID: id, Prediction: value, ImpurityStats: stats, LeftChild: -1, RightChild: -1, Split: splitData{-1, nil, -1}}}
}

func inner(tree, id, left, right, feature int32, threshold float64) nodeRow {
	return nodeRow{tree, nodeData{ID: id, LeftChild: left, RightChild: right, Split: splitData{feature, []float64{threshold}, -1}}}
}

// stump is a sound tree: feature 0 at most 0.5 goes left.
func stump(tree int32) []nodeRow {
	return []nodeRow{inner(tree, 0, 1, 2, 0, 0.5), leaf(tree, 1, -1, 3, 1), leaf(tree, 2, 1, 1, 9)}
}

func TestForest(t *testing.T) {
	t.Parallel()
	s := save(t, forestMetadata(2, 2))
	tableOf(s, "data", append(stump(1), inner(0, 0, 1, 2, 1, 2), leaf(0, 1, 0, 1, 1), leaf(0, 2, 0, 4, 0))...) // trees in no order
	tableOf(s, "treesMetadata", treeRow{1, 1}, treeRow{0, 1})
	m, err := LoadClassifier(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		row  []float64
		want float64
	}{{[]float64{0.5, 2}, (0.25 + 0.5) / 2}, {[]float64{0.6, 2.1}, 0.9 / 2}, {[]float64{-9, 3}, 0.25 / 2}} {
		if got := m.Probability(test.row); math.Abs(got-test.want) > 1e-15 {
			t.Errorf("%v: %v, want %v", test.row, got, test.want)
		}
	}
	if m.Features() != 2 {
		t.Errorf("%d features", m.Features())
	}
}

func TestBoosted(t *testing.T) {
	t.Parallel()
	s := save(t, boostedMetadata(2, 1))
	tableOf(s, "data", append(stump(0), leaf(1, 0, 3))...)
	tableOf(s, "treesMetadata", treeRow{0, 1}, treeRow{1, 0.1})
	m, err := LoadClassifier(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := m.Probability([]float64{2}), 1/(1+math.Exp(-2*1.3)); math.Abs(got-want) > 1e-15 {
		t.Errorf("%v, want %v", got, want)
	}
}

type logisticRow struct {
	NumClasses  int32  `parquet:"numClasses"`
	NumFeatures int32  `parquet:"numFeatures"`
	Intercept   vector `parquet:"interceptVector,optional"`
	Matrix      matrix `parquet:"coefficientMatrix,optional"`
	Multinomial bool   `parquet:"isMultinomial"`
}

func TestLogistic(t *testing.T) {
	t.Parallel()
	for name, matrix := range map[string]matrix{
		"dense":             {Type: 1, NumRows: 1, NumCols: 3, Values: []float64{2, 0, -1}, IsTransposed: true},
		"sparse by rows":    {Type: 0, NumRows: 1, NumCols: 3, ColPtrs: []int32{0, 2}, RowIndices: []int32{0, 2}, Values: []float64{2, -1}, IsTransposed: true},
		"sparse by columns": {Type: 0, NumRows: 1, NumCols: 3, ColPtrs: []int32{0, 1, 1, 2}, RowIndices: []int32{0, 0}, Values: []float64{2, -1}},
	} {
		s := tableOf(save(t, metadataOf(logisticRegressionModel, "")), "data", logisticRow{2, 3, vector{Type: 1, Values: []float64{0.5}}, matrix, false})
		m, err := LoadClassifier(s.dir)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, want := m.Probability([]float64{1, 100, 3}), 1/(1+math.Exp(0.5)); math.Abs(got-want) > 1e-15 {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

type clusterRow struct {
	ID     int32  `parquet:"clusterIdx"`
	Center vector `parquet:"clusterCenter,optional"`
}

func TestKMeans(t *testing.T) {
	t.Parallel()
	s := tableOf(save(t, metadataOf(kMeansModel, `,"defaultParamMap":{"distanceMeasure":"euclidean"}`)), "data",
		clusterRow{1, vector{Type: 0, Size: 2, Indices: []int32{1}, Values: []float64{4}}}, clusterRow{0, vector{Type: 1, Values: []float64{0, 0}}})
	m, err := LoadKMeans(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		row  []float64
		want int
	}{{[]float64{1, 1}, 0}, {[]float64{1, 3}, 1}, {[]float64{9, 2}, 0}} { // the last is as near to both
		if got := m.Predict(test.row); got != test.want {
			t.Errorf("%v: cluster %d, want %d", test.row, got, test.want)
		}
	}
}

type scalerRow struct {
	Std  vector `parquet:"std,optional"`
	Mean vector `parquet:"mean,optional"`
}

func TestScaler(t *testing.T) {
	t.Parallel()
	s := tableOf(save(t, metadataOf(standardScalerModel, `,"paramMap":{"withMean":true},"defaultParamMap":{"withMean":false,"withStd":true}`)), "data",
		scalerRow{vector{Type: 1, Values: []float64{2, 0}}, vector{Type: 1, Values: []float64{10, 3}}})
	m, err := LoadScaler(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	row := []float64{14, 3}
	m.Scale(row)
	if row[0] != 2 || row[1] != 0 {
		t.Errorf("scaled to %v, want 2 and 0", row)
	}
	m.Unscale(row)
	if row[0] != 14 || row[1] != 3 {
		t.Errorf("and back to %v", row)
	}
}

// TestBadModelsAreRefused has one case for each way in which a model can be wrong.
func TestBadModelsAreRefused(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	forest := func(metadata string, nodes []nodeRow, trees ...treeRow) func(*testing.T) string {
		return func(t *testing.T) string {
			return tableOf(tableOf(save(t, metadata), "data", nodes...), "treesMetadata", trees...).dir
		}
	}
	logisticWith := func(change func(*logisticRow)) func(*testing.T) string {
		return func(t *testing.T) string {
			row := logisticRow{2, 2, vector{Type: 1, Values: []float64{0}}, matrix{Type: 1, NumRows: 1, NumCols: 2, Values: []float64{1, 2}}, false}
			change(&row)
			return tableOf(save(t, metadataOf(logisticRegressionModel, "")), "data", row).dir
		}
	}
	kmeansOf := func(rest string, rows ...clusterRow) func(*testing.T) string {
		return func(t *testing.T) string { return tableOf(save(t, metadataOf(kMeansModel, rest)), "data", rows...).dir }
	}
	const euclidean = `,"defaultParamMap":{"distanceMeasure":"euclidean"}`
	scalerOf := func(rows ...scalerRow) func(*testing.T) string {
		return func(t *testing.T) string {
			return tableOf(save(t, metadataOf(standardScalerModel, `,"defaultParamMap":{"withMean":true,"withStd":true}`)), "data", rows...).dir
		}
	}
	dense := func(values ...float64) vector { return vector{Type: 1, Values: values} }
	anyOf := map[string]func(string) error{
		"classifier": func(dir string) error { _, err := LoadClassifier(dir); return err },
		"kmeans":     func(dir string) error { _, err := LoadKMeans(dir); return err },
		"scaler":     func(dir string) error { _, err := LoadScaler(dir); return err },
	}
	one := treeRow{0, 1}
	for _, test := range []struct {
		name, kind string
		make       func(*testing.T) string
		says       string
	}{
		{"no folder", "classifier", func(t *testing.T) string { return filepath.Join(t.TempDir(), "none") }, "none"},
		{"no metadata", "classifier", func(t *testing.T) string { return t.TempDir() }, "metadata"},
		{"metadata breaks off", "classifier", func(t *testing.T) string { return save(t, `{"class":"org`).dir }, "not valid JSON"},
		{"another class", "classifier", func(t *testing.T) string {
			return save(t, metadataOf("org.apache.spark.ml.classification.NaiveBayesModel", "")).dir
		}, "NaiveBayesModel"},
		{"a classifier as KMeans", "kmeans", logisticWith(func(*logisticRow) {}), "LogisticRegressionModel"},
		{"no tables", "classifier", func(t *testing.T) string { return save(t, forestMetadata(1, 1)).dir }, "data"},
		{"a damaged table", "classifier", func(t *testing.T) string {
			s := save(t, forestMetadata(1, 1))
			s.file("data/part-0.parquet", []byte("PAR1 this is not it PAR1"))
			return s.dir
		}, "data/part-0.parquet"},
		{"a truncated table", "classifier", func(t *testing.T) string {
			s := tableOf(save(t, forestMetadata(1, 1)), "data", stump(0)...)
			name := filepath.Join(s.dir, "data/part-00000-x-c000.snappy.parquet")
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			s.file("data/part-00000-x-c000.snappy.parquet", data[:len(data)*2/3])
			return s.dir
		}, "data/part-00000"},
		{"a missing column", "classifier", func(t *testing.T) string {
			return tableOf(save(t, forestMetadata(1, 1)), "data", struct {
				TreeID int32 `parquet:"treeID"`
			}{0}).dir
		}, "the column nodeData"},
		{"a column of another type", "kmeans", func(t *testing.T) string {
			return tableOf(save(t, metadataOf(kMeansModel, euclidean)), "data", struct {
				ID     int64  `parquet:"clusterIdx"`
				Center vector `parquet:"clusterCenter,optional"`
			}{0, dense(1)}).dir
		}, "the column clusterIdx has type"},

		{"a child that is its parent", "classifier", forest(forestMetadata(1, 1), []nodeRow{inner(0, 0, 0, 1, 0, 0), leaf(0, 1, 0, 1, 1)}, one), "node 0 has the child 0"},
		{"a path that comes back", "classifier", forest(forestMetadata(1, 1), []nodeRow{inner(0, 0, 1, 2, 0, 0), inner(0, 1, 0, 2, 0, 0), leaf(0, 2, 0, 1, 1)}, one), "node 1 has the child 0"},
		{"a missing node", "classifier", forest(forestMetadata(1, 1), []nodeRow{stump(0)[0], stump(0)[2]}, one), "none at place 1"},
		{"a missing last node", "classifier", forest(forestMetadata(1, 1), stump(0)[:2], one), "node 0 has the child 2"},
		{"a node twice", "classifier", forest(forestMetadata(1, 1), append(stump(0), leaf(0, 2, 0, 1, 1)), one), "node 2 comes there"},
		{"a shared child", "classifier", forest(forestMetadata(1, 1), []nodeRow{inner(0, 0, 1, 2, 0, 0), inner(0, 1, 2, 3, 0, 0), leaf(0, 2, 0, 1, 1), leaf(0, 3, 0, 1, 1)}, one), "node 2 is the child of 2"},
		{"an orphan", "classifier", forest(forestMetadata(1, 1), append(stump(0), leaf(0, 3, 0, 1, 1)), one), "node 3 is the child of 0"},
		{"one child", "classifier", forest(forestMetadata(1, 1), []nodeRow{inner(0, 0, 1, -1, 0, 0), leaf(0, 1, 0, 1, 1)}, one), "node 0 has the child -1"},
		{"a threshold that is no number", "classifier", forest(forestMetadata(1, 1), []nodeRow{inner(0, 0, 1, 2, 0, nan), stump(0)[1], stump(0)[2]}, one), "node 0 splits at [NaN]"},
		{"a feature beyond", "classifier", forest(forestMetadata(1, 1), []nodeRow{inner(0, 0, 1, 2, 1, 0), stump(0)[1], stump(0)[2]}, one), "feature 1, of 1"},
		{"a split by categories", "classifier", forest(forestMetadata(1, 1), []nodeRow{{0, nodeData{LeftChild: 1, RightChild: 2, Split: splitData{0, []float64{1}, 3}}}, stump(0)[1], stump(0)[2]}, one), "by categories"},
		{"a leaf of no rows", "classifier", forest(forestMetadata(1, 1), []nodeRow{leaf(0, 0, 0, 0, 0)}, one), "leaf 0"},
		{"a leaf of three classes", "classifier", forest(forestMetadata(1, 1), []nodeRow{leaf(0, 0, 0, 1, 1, 1)}, one), "3 classes"},
		{"a leaf of NaN rows", "classifier", forest(forestMetadata(1, 1), []nodeRow{leaf(0, 0, 0, nan, 1)}, one), "leaf 0"},
		{"a tree without nodes", "classifier", forest(forestMetadata(2, 1), stump(0), one, treeRow{1, 1}), "tree 1 has no nodes"},
		{"a tree too many", "classifier", forest(forestMetadata(1, 1), append(stump(0), stump(1)...), one), "tree 1, of 1"},
		{"a tree below 0", "classifier", forest(forestMetadata(1, 1), append(stump(0), stump(-1)...), one), "tree -1, of 1"},
		{"trees that are not numbered through", "classifier", forest(forestMetadata(2, 1), append(stump(0), stump(1)...), one, treeRow{2, 1}), "number 2 comes at place 1"},
		{"fewer trees than promised", "classifier", forest(forestMetadata(2, 1), stump(0), one), "1 trees, the metadata says 2"},
		{"three classes", "classifier", forest(strings.Replace(forestMetadata(1, 1), `"numClasses":2`, `"numClasses":3`, 1), stump(0), one), "3 classes"},
		{"no features", "classifier", forest(forestMetadata(1, 0), stump(0), one), "over 0 features"},
		{"a boosted leaf that is no number", "classifier", forest(boostedMetadata(1, 1), []nodeRow{leaf(0, 0, math.Inf(1))}, one), "leaf 0: its value is +Inf"},
		{"a weight that is no number", "classifier", forest(boostedMetadata(1, 1), stump(0), treeRow{0, nan}), "weight of tree 0 is NaN"},
		{"no loss", "classifier", forest(metadataOf(gbtClassificationModel, `,"numTrees":1,"numFeatures":1`), stump(0), one), "lossType"},

		{"a NaN coefficient", "classifier", logisticWith(func(r *logisticRow) { r.Matrix.Values[1] = nan }), "the coefficients holds NaN at place 1"},
		{"an infinite intercept", "classifier", logisticWith(func(r *logisticRow) { r.Intercept.Values[0] = math.Inf(-1) }), "the intercept holds -Inf"},
		{"a coefficient short", "classifier", logisticWith(func(r *logisticRow) { r.Matrix.Values = r.Matrix.Values[:1] }), "has 1 numbers, not 2"},
		{"columns short", "classifier", logisticWith(func(r *logisticRow) { r.Matrix.NumCols = 1 }), "1 rows and 1 columns, not 1 and 2"},
		{"no intercept", "classifier", logisticWith(func(r *logisticRow) { r.Intercept.Values = nil }), "has 0 numbers, not 1"},
		{"five classes", "classifier", logisticWith(func(r *logisticRow) { r.NumClasses = 5 }), "5 classes"},
		{"a multinomial", "classifier", logisticWith(func(r *logisticRow) { r.Multinomial = true }), "multinomial: true"},
		{"a vector of an unknown type", "classifier", logisticWith(func(r *logisticRow) { r.Intercept.Type = 7 }), "unknown type 7"},
		{"a sparse index beyond", "classifier", logisticWith(func(r *logisticRow) {
			r.Matrix = matrix{Type: 0, NumRows: 1, NumCols: 2, ColPtrs: []int32{0, 1}, RowIndices: []int32{2}, Values: []float64{1}, IsTransposed: true}
		}), "index 2"},
		{"column pointers short", "classifier", logisticWith(func(r *logisticRow) {
			r.Matrix = matrix{Type: 0, NumRows: 1, NumCols: 2, ColPtrs: []int32{0, 1}, RowIndices: []int32{0}, Values: []float64{1}}
		}), "2 column pointers, not 3"},
		{"two rows", "classifier", func(t *testing.T) string {
			row := logisticRow{2, 1, dense(0), matrix{Type: 1, NumRows: 1, NumCols: 1, Values: []float64{1}}, false}
			return tableOf(save(t, metadataOf(logisticRegressionModel, "")), "data", row, row).dir
		}, "2 rows, not one"},

		{"no clusters", "kmeans", kmeansOf(euclidean), "no clusters"},
		{"a cluster missing", "kmeans", kmeansOf(euclidean, clusterRow{0, dense(1)}, clusterRow{2, dense(1)}), "number 2 comes at place 1"},
		{"a cluster twice", "kmeans", kmeansOf(euclidean, clusterRow{0, dense(1)}, clusterRow{0, dense(2)}), "number 0 comes at place 1"},
		{"centres of two lengths", "kmeans", kmeansOf(euclidean, clusterRow{0, dense(1)}, clusterRow{1, dense(1, 2)}), "cluster 1 has 2 numbers, not 1"},
		{"a NaN centre", "kmeans", kmeansOf(euclidean, clusterRow{0, dense(nan)}), "cluster 0 holds NaN"},
		{"an empty centre", "kmeans", kmeansOf(euclidean, clusterRow{0, dense()}), "cluster 0 has 0 numbers"},
		{"an absurd size", "kmeans", kmeansOf(euclidean, clusterRow{0, vector{Type: 0, Size: 2_000_000_000}}), "size 2000000000"},
		{"another distance", "kmeans", kmeansOf(`,"paramMap":{"distanceMeasure":"cosine"}`, clusterRow{0, dense(1)}), "cosine"},
		{"a distance that is no word", "kmeans", kmeansOf(`,"paramMap":{"distanceMeasure":5}`, clusterRow{0, dense(1)}), "distanceMeasure is 5"},

		{"a deviation below 0", "scaler", scalerOf(scalerRow{dense(-1), dense(0)}), "place 0 is -1"},
		{"a mean short", "scaler", scalerOf(scalerRow{dense(1, 2), dense(0)}), "the means has 1 numbers, not 2"},
		{"a NaN mean", "scaler", scalerOf(scalerRow{dense(1), dense(nan)}), "the means holds NaN"},
		{"no row", "scaler", scalerOf(), "0 rows, not one"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := anyOf[test.kind](test.make(t))
			if !errors.Is(err, ErrBadModel) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v, want one that says %q", err, test.says)
			}
		})
	}
}

// FuzzTable feeds damaged tables: whatever they hold, reading ends with a model or an error, and no more memory than the bound.
func FuzzTable(f *testing.F) {
	dir := f.TempDir()
	name := filepath.Join(dir, "seed.parquet")
	if err := parquet.WriteFile(name, stump(0)); err != nil {
		f.Fatal(err)
	}
	seed, err := os.ReadFile(name)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add(seed[:len(seed)/2])
	f.Fuzz(func(t *testing.T, data []byte) {
		s := tableOf(save(t, forestMetadata(1, 1)), "treesMetadata", treeRow{0, 1})
		s.file("data/part-0.parquet", data)
		m, err := LoadClassifier(s.dir)
		if err == nil {
			if p := m.Probability([]float64{0.5}); !(p >= 0 && p <= 1) {
				t.Errorf("a probability of %v", p)
			}
		} else if !errors.Is(err, ErrBadModel) {
			t.Errorf("the error %v does not wrap ErrBadModel", err)
		}
	})
}

// FuzzMetadata feeds damaged metadata to every reader: each ends with a model or an error that says it is not one.
func FuzzMetadata(f *testing.F) {
	for _, seed := range []string{forestMetadata(1, 1), boostedMetadata(1, 1), forestMetadata(1, 1)[:20], `{"class":5}`, `{"paramMap":[]}`, forestMetadata(1<<60, 1<<60), "[[[", "null"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := tableOf(tableOf(save(t, string(data)), "data", stump(0)...), "treesMetadata", treeRow{0, 1})
		for kind, load := range map[string]func() error{
			"classifier": func() error { _, err := LoadClassifier(s.dir); return err },
			"kmeans":     func() error { _, err := LoadKMeans(s.dir); return err },
			"scaler":     func() error { _, err := LoadScaler(s.dir); return err },
		} {
			if err := load(); err != nil && !errors.Is(err, ErrBadModel) {
				t.Errorf("%s: the error %v does not wrap ErrBadModel", kind, err)
			}
		}
	})
}
