// Package segment parts a shop's visitors into groups that have a name: it finds them on Spark by KMeans and tells in Go to which one
// a visitor belongs.
//
// It promises names that follow from what sets a group apart from all visitors, not from KMeans' numbers, and no name twice. Where
// there are too few visitors, or all did the same, there are no segments, and the manifest says why. What a
// shop does with a segment is not its business.
package segment

import (
	"context"
	"fmt"
	"math"
	"path"
	"path/filepath"
	"strings"

	"cartwheel/internal/model"
	"cartwheel/internal/predict"
	"cartwheel/internal/spark"
	"cartwheel/internal/sparkml"

	"github.com/apache/spark-connect-go/v40/spark/sql"
	"github.com/apache/spark-connect-go/v40/spark/sql/column"
	"github.com/apache/spark-connect-go/v40/spark/sql/functions"
)

// The models' folders in a version.
const (
	scalerDir = "segments/scaler"
	kMeansDir = "segments/kmeans"
)

// names are the features that visitors are compared by, of those of features.Visitors.
var names = []string{"views", "addtocarts", "transactions", "items", "sessions", "recency_days", "tenure_days", "events_per_session", "view_to_cart", "cart_to_buy"}

const (
	// leastK and mostK bound the numbers of segments that are tried.
	leastK, mostK = 3, 10
	// least is how many visitors there must be.
	least = 30
	// fitted bounds the visitors by whom the segments are made: more would not move a centre.
	fitted = 200_000
)

// Job is a search for segments.
type Job struct {
	Session    *spark.Session
	Dir        string // the version under construction, as this program sees it
	SparkDir   string // the same as the cluster sees it
	K          int    // how many segments; 0: by silhouette
	Visitors   int64  // how many there are
	Partitions int    // that keep the cluster's cores busy
	Seed       int64
}

// Find makes the segments of visitors, as features.Visitors returns them, of all that they did. It leaves the models in the version.
func (j *Job) Find(ctx context.Context, visitors sql.DataFrame) (*model.Segments, error) {
	m := &model.Segments{}
	if j.Visitors < least {
		m.None = fmt.Sprintf("there are %d visitors; at least %d are needed", j.Visitors, least)
		return m, nil
	}
	logged, err := j.logged(ctx, visitors)
	if err != nil {
		return nil, err
	}
	some, err := j.share(ctx, logged, fitted)
	if err != nil {
		return nil, err
	}
	scaler := sparkml.NewStandardScaler()
	scaler.InputCol, scaler.OutputCol, scaler.WithMean = "logged", "features", true
	scaling, err := scaler.Fit(ctx, j.Session, some)
	if err != nil {
		return nil, err
	}
	defer func() { _ = scaling.Delete(context.WithoutCancel(ctx)) }() // what stays ends with the session
	scaled, err := scaling.Transform(ctx, some)
	if err != nil {
		return nil, err
	}
	k, err := j.choose(ctx, scaled, m)
	if err != nil || m.None != "" {
		return m, err
	}
	kmeans := sparkml.NewKMeans()
	kmeans.K, kmeans.Seed = k, j.Seed
	clusters, err := kmeans.Fit(ctx, j.Session, scaled)
	if err != nil {
		return nil, err
	}
	defer func() { _ = clusters.Delete(context.WithoutCancel(ctx)) }()
	if err := scaling.Write(ctx, path.Join(j.SparkDir, scalerDir)); err != nil {
		return nil, err
	}
	if err := clusters.Write(ctx, path.Join(j.SparkDir, kMeansDir)); err != nil {
		return nil, err
	}
	m.Features = names
	if err := j.centres(m); err != nil {
		return nil, err
	}
	all, err := scaling.Transform(ctx, logged)
	if err == nil {
		all, err = clusters.Transform(ctx, all)
	}
	if err != nil {
		return nil, err
	}
	if err := describe(ctx, all, m); err != nil {
		return nil, err
	}
	nameAll(m)
	return m, nil
}

// logged adds the vector of the features' logarithms.
func (j *Job) logged(ctx context.Context, visitors sql.DataFrame) (sql.DataFrame, error) {
	columns := []string{"visitor"}
	var inputs []string
	for _, name := range names {
		columns = append(columns, name, fmt.Sprintf("log1p(%s) log_%s", name, name))
		inputs = append(inputs, "log_"+name)
	}
	df, err := visitors.SelectExpr(ctx, columns...)
	if err != nil {
		return nil, fmt.Errorf("choosing features: %w", spark.Explain(err))
	}
	assembler := sparkml.NewVectorAssembler()
	assembler.InputCols, assembler.OutputCol = inputs, "logged"
	return assembler.Transform(ctx, j.Session, df)
}

// share draws about n visitors by a hash of their numbers, the same ones each time.
func (j *Job) share(ctx context.Context, visitors sql.DataFrame, n int64) (sql.DataFrame, error) {
	if j.Visitors <= n {
		return visitors.Coalesce(ctx, j.Partitions), nil
	}
	df, err := visitors.Where(ctx, fmt.Sprintf("pmod(xxhash64(visitor, %dL), 1000000) < %d", j.Seed, n*1_000_000/j.Visitors))
	if err != nil {
		return nil, fmt.Errorf("drawing visitors: %w", spark.Explain(err))
	}
	return df.Coalesce(ctx, j.Partitions), nil
}

// centres reads what Spark wrote and puts the centres into the features' own units.
func (j *Job) centres(m *model.Segments) error {
	scaler, err := predict.LoadScaler(filepath.Join(j.Dir, scalerDir))
	if err != nil {
		return err
	}
	clusters, err := predict.LoadKMeans(filepath.Join(j.Dir, kMeansDir))
	if err != nil {
		return err
	}
	for _, center := range clusters.Centers() {
		centre := append([]float64(nil), center...)
		scaler.Unscale(centre)
		for i := range centre {
			centre[i] = max(0, math.Expm1(centre[i])) // no feature is below 0, but for a rounding
		}
		m.Segments = append(m.Segments, model.Segment{Centre: centre})
	}
	return nil
}

// describe counts each segment's visitors and takes the means of what they did.
func describe(ctx context.Context, visitors sql.DataFrame, m *model.Segments) error {
	sums := []column.Convertible{expr("count(*)", "n")}
	for _, name := range names {
		sums = append(sums, expr("sum("+name+")", name))
	}
	grouped, err := visitors.GroupBy(functions.Col("prediction")).Agg(ctx, sums...)
	if err != nil {
		return fmt.Errorf("describing segments: %w", spark.Explain(err))
	}
	rows, err := grouped.Collect(ctx)
	if err != nil {
		return fmt.Errorf("describing segments: %w", spark.Explain(err))
	}
	m.Population = make([]float64, len(names))
	for i := range m.Segments {
		m.Segments[i].Means = make([]float64, len(names))
	}
	var all int64
	for _, row := range rows {
		number, _ := row.Value("prediction").(int32)
		n, _ := row.Value("n").(int64)
		if number < 0 || int(number) >= len(m.Segments) || n == 0 {
			return fmt.Errorf("describing segments: Spark names segment %d with %d visitors, of %d segments", number, n, len(m.Segments))
		}
		segment := &m.Segments[number]
		segment.Visitors = n
		all += n
		for i, name := range names {
			sum, ok := row.Value(name).(float64)
			if !ok {
				return fmt.Errorf("describing segments: Spark gives no sum of %s", name)
			}
			segment.Means[i] = sum / float64(n)
			m.Population[i] += sum
		}
	}
	for i := range m.Population {
		m.Population[i] /= float64(all)
	}
	return nil
}

func expr(sql, name string) column.Alias { return column.WithAlias(name, functions.Expr(sql)) }

// title is a feature's name as people say it.
func title(feature string) string {
	if told, ok := map[string]string{"addtocarts": "additions to the cart", "recency_days": "days since the last visit", "tenure_days": "days since the first visit",
		"view_to_cart": "items looked at that reach the cart", "cart_to_buy": "items in the cart that are bought"}[feature]; ok {
		return told
	}
	return strings.ReplaceAll(feature, "_", " ")
}
