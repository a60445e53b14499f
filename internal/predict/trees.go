package predict

import (
	"cmp"
	"fmt"
	"slices"
)

// node is a place in a tree. An inner one sends a row to left where its feature is at most the threshold, else to right; a leaf, whose
// left is 0, holds its value.
type node struct {
	feature, left, right int32 // children's places in the tree, which are above their parent's
	number               float64
}

type tree []node

func (t tree) value(row []float64) float64 {
	n := t[0]
	for n.left != 0 {
		if row[n.feature] <= n.number {
			n = t[n.left]
		} else {
			n = t[n.right]
		}
	}
	return n.number
}

// forest is a RandomForestClassificationModel of two classes: the mean of what share of each leaf's rows is of class 1. Spark takes no
// account of the trees' weights here; it sets them to 1.
type forest struct {
	trees    []tree
	features int
}

func (m *forest) Features() int { return m.features }

func (m *forest) Probability(row []float64) float64 {
	var ones float64
	for _, t := range m.trees {
		ones += t.value(row)
	}
	return ones / float64(len(m.trees))
}

// boosted is a GBTClassificationModel: the sum of trees that are regressions is half the log odds (Friedman 1999, as in MLlib's
// LogLoss).
type boosted struct {
	trees    []tree
	weights  []float64
	features int
}

func (m *boosted) Features() int { return m.features }

func (m *boosted) Probability(row []float64) float64 {
	var margin float64
	for i, t := range m.trees {
		margin += m.weights[i] * t.value(row)
	}
	return sigmoid(2 * margin)
}

func readForest(f *folder) (*forest, error) {
	if f.meta.NumClasses != 2 {
		return nil, fmt.Errorf("metadata: it tells %d classes apart, not two", f.meta.NumClasses)
	}
	trees, _, err := readTrees(f, func(leaf *nodeData) (float64, error) {
		if len(leaf.ImpurityStats) != 2 {
			return 0, fmt.Errorf("it counts %d classes, not two", len(leaf.ImpurityStats))
		}
		zeros, ones := leaf.ImpurityStats[0], leaf.ImpurityStats[1]
		if !(zeros >= 0 && ones >= 0 && zeros+ones > 0 && finite(zeros+ones)) {
			return 0, fmt.Errorf("it counts %v and %v rows of the classes", zeros, ones)
		}
		return ones / (zeros + ones), nil
	})
	return &forest{trees, f.meta.NumFeatures}, err
}

func readBoosted(f *folder) (*boosted, error) {
	var loss string
	if err := f.meta.param("lossType", &loss); err != nil {
		return nil, err
	}
	if loss != "logistic" {
		return nil, fmt.Errorf("metadata: the loss is %.40q, not logistic", loss)
	}
	trees, weights, err := readTrees(f, func(leaf *nodeData) (float64, error) { return leaf.Prediction, nil })
	return &boosted{trees, weights, f.meta.NumFeatures}, err
}

// The tables as Spark writes them.
type (
	nodeRow struct {
		TreeID int32    `parquet:"treeID"`
		Node   nodeData `parquet:"nodeData,optional"`
	}
	nodeData struct {
		ID            int32     `parquet:"id"` // in the tree, from 0, the root, on
		Prediction    float64   `parquet:"prediction"`
		ImpurityStats []float64 `parquet:"impurityStats,list,optional"`
		LeftChild     int32     `parquet:"leftChild"` // -1 at a leaf
		RightChild    int32     `parquet:"rightChild"`
		Split         splitData `parquet:"split,optional"`
	}
	splitData struct {
		FeatureIndex int32     `parquet:"featureIndex"`
		Threshold    []float64 `parquet:"leftCategoriesOrThreshold,list,optional"`
		Categories   int32     `parquet:"numCategories"` // -1 where the feature is a number
	}
	treeRow struct {
		ID     int32   `parquet:"_1"`
		Weight float64 `parquet:"_3"`
	}
)

// readTrees reads all trees of a model in the order of their numbers; leaf tells what a leaf's rows come to.
func readTrees(f *folder, leaf func(*nodeData) (float64, error)) ([]tree, []float64, error) {
	if f.meta.NumFeatures < 1 || f.meta.NumTrees < 1 {
		return nil, nil, fmt.Errorf("metadata: it has %d trees over %d features", f.meta.NumTrees, f.meta.NumFeatures)
	}
	rows, err := readTable[nodeRow](f, "data")
	if err != nil {
		return nil, nil, err
	}
	known, err := readTable[treeRow](f, "treesMetadata")
	if err != nil {
		return nil, nil, err
	}
	if len(known) != f.meta.NumTrees {
		return nil, nil, fmt.Errorf("treesMetadata: it has %d trees, the metadata says %d", len(known), f.meta.NumTrees)
	}
	slices.SortFunc(known, func(a, b treeRow) int { return cmp.Compare(a.ID, b.ID) })
	weights := make([]float64, len(known))
	for i, t := range known {
		if int(t.ID) != i {
			return nil, nil, fmt.Errorf("treesMetadata: the trees are not numbered from 0 to %d: number %d comes at place %d", len(known)-1, t.ID, i)
		}
		if !finite(t.Weight) {
			return nil, nil, fmt.Errorf("treesMetadata: the weight of tree %d is %v", i, t.Weight)
		}
		weights[i] = t.Weight
	}
	slices.SortFunc(rows, func(a, b nodeRow) int {
		return cmp.Or(cmp.Compare(a.TreeID, b.TreeID), cmp.Compare(a.Node.ID, b.Node.ID))
	})
	trees := make([]tree, len(known))
	for start := 0; start < len(rows); {
		end := start
		for end < len(rows) && rows[end].TreeID == rows[start].TreeID {
			end++
		}
		number := rows[start].TreeID
		if number < 0 || int(number) >= len(trees) {
			return nil, nil, fmt.Errorf("data: a node belongs to tree %d, of %d", number, len(trees))
		}
		if trees[number], err = grow(rows[start:end], f.meta.NumFeatures, leaf); err != nil {
			return nil, nil, fmt.Errorf("data: tree %d: %w", number, err)
		}
		start = end
	}
	for number, t := range trees {
		if t == nil {
			return nil, nil, fmt.Errorf("data: tree %d has no nodes", number)
		}
	}
	return trees, weights, nil
}

// grow makes a tree of its nodes, sorted by number. Spark numbers them before their children, and every node but the root is the
// child of one other: so none is missing, none is shared, and no path comes back.
func grow(rows []nodeRow, features int, leaf func(*nodeData) (float64, error)) (tree, error) {
	t := make(tree, len(rows))
	parents := make([]int, len(rows))
	for i, r := range rows {
		if int(r.Node.ID) != i {
			return nil, fmt.Errorf("it has %d nodes, but none at place %d: node %d comes there", len(rows), i, r.Node.ID)
		}
	}
	for i := range rows {
		n := &rows[i].Node
		if n.LeftChild == -1 && n.RightChild == -1 {
			value, err := leaf(n)
			if err == nil && !finite(value) {
				err = fmt.Errorf("its value is %v", value)
			}
			if err != nil {
				return nil, fmt.Errorf("leaf %d: %w", i, err)
			}
			t[i].number = value
			continue
		}
		for _, child := range []int32{n.LeftChild, n.RightChild} {
			if int(child) <= i || int(child) >= len(rows) {
				return nil, fmt.Errorf("node %d has the child %d, which is not one of the nodes after it, of %d", i, child, len(rows))
			}
			parents[child]++
		}
		split := &n.Split
		switch {
		case split.Categories != -1:
			return nil, fmt.Errorf("node %d splits by categories, not by a threshold", i)
		case len(split.Threshold) != 1 || !finite(split.Threshold[0]):
			return nil, fmt.Errorf("node %d splits at %v", i, split.Threshold)
		case split.FeatureIndex < 0 || int(split.FeatureIndex) >= features:
			return nil, fmt.Errorf("node %d splits by feature %d, of %d", i, split.FeatureIndex, features)
		}
		t[i] = node{split.FeatureIndex, n.LeftChild, n.RightChild, split.Threshold[0]}
	}
	for i, n := range parents[1:] {
		if n != 1 {
			return nil, fmt.Errorf("node %d is the child of %d others", i+1, n)
		}
	}
	return t, nil
}
