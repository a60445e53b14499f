package predict

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// KMeans is a KMeansModel by Euclidean distance.
type KMeans struct{ centers [][]float64 }

// LoadKMeans reads a KMeansModel.
func LoadKMeans(dir string) (*KMeans, error) { return load(dir, readKMeans) }

// Features is how many numbers a row has.
func (m *KMeans) Features() int { return len(m.centers[0]) }

// Centers are the clusters' centres, by their numbers. They must not be changed.
func (m *KMeans) Centers() [][]float64 { return m.centers }

// Predict returns the number of the cluster whose centre is nearest, of equal ones the first.
func (m *KMeans) Predict(row []float64) int {
	best, nearest := 0, math.Inf(1)
	for i, center := range m.centers {
		var distance float64
		for k, c := range center {
			distance += (row[k] - c) * (row[k] - c)
		}
		if distance < nearest {
			best, nearest = i, distance
		}
	}
	return best
}

func readKMeans(f *folder) (*KMeans, error) {
	if err := f.expect(kMeansModel); err != nil {
		return nil, err
	}
	var measure string
	if err := f.meta.param("distanceMeasure", &measure); err != nil {
		return nil, err
	}
	if measure != "euclidean" {
		return nil, fmt.Errorf("metadata: the distance is %.40q, not euclidean", measure)
	}
	type row struct {
		ID     int32  `parquet:"clusterIdx"`
		Center vector `parquet:"clusterCenter,optional"`
	}
	rows, err := readTable[row](f, "data")
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("data: it has no clusters")
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.ID, b.ID) })
	m, n := &KMeans{}, -1
	for i, r := range rows {
		if int(r.ID) != i {
			return nil, fmt.Errorf("data: the clusters are not numbered from 0 to %d: number %d comes at place %d", len(rows)-1, r.ID, i)
		}
		center, err := r.Center.dense(fmt.Sprintf("data: the centre of cluster %d", i), n)
		if err != nil {
			return nil, err
		}
		m.centers, n = append(m.centers, center), len(center)
	}
	return m, nil
}
