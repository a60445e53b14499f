package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"cartwheel/internal/features"
	"cartwheel/internal/spark"
	"cartwheel/internal/sparkml"
)

//go:embed fit.py
var fitPython []byte

const (
	rank       = 64
	iterations = 10
	blocks     = 4
)

// pair is the same fit from Go and from Python, one right after the other.
type pair struct{ golang, python float64 }

// fits measures pairs of fits on the ratings of a shop. Which of the two comes first alternates.
func (b *bench) fits(n int, dataDir string) (pairs []pair, ratings int64, err error) {
	if ratings, err = b.writeRatings(dataDir); err != nil {
		return nil, 0, err
	}
	goes := func() (float64, error) { return b.fitGo(b.remote) }
	if _, err := goes(); err != nil { // to warm the cluster
		return nil, 0, err
	}
	for i := range n {
		var p pair
		order := []struct {
			into *float64
			fit  func() (float64, error)
		}{{&p.golang, goes}, {&p.python, b.fitPython}}
		if i%2 == 1 {
			order[0], order[1] = order[1], order[0]
		}
		for _, o := range order {
			if *o.into, err = o.fit(); err != nil {
				return nil, 0, err
			}
		}
		fmt.Fprintf(b.log, "fit %d: Go %.2f s, PySpark %.2f s\n", i+1, p.golang, p.python)
		pairs = append(pairs, p)
	}
	return pairs, ratings, nil
}

func (b *bench) ratingsPath() string { return filepath.Join(b.dir, "ratings") }

// writeRatings makes what a training would fit: pairs of visitor and item, of visitors with at least two items.
func (b *bench) writeRatings(dataDir string) (int64, error) {
	s, err := spark.Connect(b.ctx, b.remote)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	df, err := s.Sql(b.ctx, fmt.Sprintf(`
		WITH pairs AS (
		  SELECT CAST(_c1 AS INT) visitor, CAST(_c3 AS INT) item, CAST(sum(CASE _c2 WHEN 'view' THEN 1 WHEN 'addtocart' THEN 3 ELSE 5 END) AS FLOAT) strength
		  FROM csv.%s WHERE _c0 <> 'timestamp' GROUP BY ALL)
		SELECT visitor, item, strength FROM (SELECT *, count(*) OVER (PARTITION BY visitor) n FROM pairs) WHERE n >= 2`,
		"`"+filepath.Join(dataDir, features.BatchesDir)+"`"))
	if err != nil {
		return 0, spark.Explain(err)
	}
	if err := df.Write().Format("parquet").Mode("overwrite").Save(b.ctx, b.ratingsPath()); err != nil {
		return 0, spark.Explain(err)
	}
	written, err := s.Read().Format("parquet").Load(b.ratingsPath())
	if err != nil {
		return 0, spark.Explain(err)
	}
	n, err := written.Count(b.ctx)
	return n, spark.Explain(err)
}

func (b *bench) fitGo(remote string) (float64, error) {
	s, err := spark.Connect(b.ctx, remote)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	ratings, err := s.Read().Format("parquet").Load(b.ratingsPath())
	if err != nil {
		return 0, spark.Explain(err)
	}
	als := sparkml.NewALS()
	als.Rank, als.MaxIter, als.ImplicitPrefs, als.Seed, als.NumUserBlocks, als.NumItemBlocks = rank, iterations, true, 1, blocks, blocks
	als.UserCol, als.ItemCol, als.RatingCol = "visitor", "item", "strength"
	begun := time.Now()
	if _, err := als.Fit(b.ctx, s, ratings); err != nil {
		return 0, err
	}
	return time.Since(begun).Seconds(), nil
}

func (b *bench) fitPython() (float64, error) {
	script := filepath.Join(b.dir, "fit.py")
	if err := os.WriteFile(script, fitPython, 0o600); err != nil {
		return 0, err
	}
	var out bytes.Buffer
	cmd := b.command(b.python, script, b.remote, b.ratingsPath(), strconv.Itoa(rank), strconv.Itoa(iterations), strconv.Itoa(blocks))
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("the fit from Python: %w", err)
	}
	return strconv.ParseFloat(strings.TrimSpace(out.String()), 64)
}
