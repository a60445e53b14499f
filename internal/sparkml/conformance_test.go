package sparkml

import "reflect"

// operators are all that are covered, as their constructors make them.
func operators() []operator {
	return []operator{
		NewALS(), NewLogisticRegression(), NewRandomForestClassifier(), NewGBTClassifier(), NewKMeans(), NewBisectingKMeans(),
		NewStandardScaler(), NewMinMaxScaler(), NewStringIndexer(), NewVectorAssembler(),
		NewBinaryClassificationEvaluator(), NewMulticlassClassificationEvaluator(), NewRegressionEvaluator(), NewRankingEvaluator(), NewClusteringEvaluator(),
	}
}

// edge has values of one parameter on both sides of the constraint.
type edge struct {
	field     string
	bad, good []any
}

// edges has MLlib's constraints by operator. TestConstraintsAreMLlibs holds them against the server, TestValidate against Validate.
var edges = map[string][]edge{
	"ALS": {
		{"Rank", []any{0, -1}, []any{1}}, {"MaxIter", []any{-1}, []any{0}}, {"RegParam", []any{-0.1}, []any{0.0}}, {"Alpha", []any{-0.1}, []any{0.0}},
		{"NumUserBlocks", []any{0}, []any{1}}, {"NumItemBlocks", []any{0}, []any{1}}, {"CheckpointInterval", []any{0, -2}, []any{-1, 1}},
		{"ColdStartStrategy", []any{"", "keep"}, []any{"drop", "NaN"}}, {"IntermediateStorageLevel", []any{"NONE", "memory", "MEMORY"}, []any{"DISK_ONLY_3", "OFF_HEAP"}},
		{"FinalStorageLevel", []any{"", "memory_only"}, []any{"NONE", "MEMORY_ONLY_SER_2"}}, {"BlockSize", []any{0}, []any{1}},
	},
	"LogisticRegression": {
		{"MaxIter", []any{-1}, []any{0}}, {"RegParam", []any{-1.0}, []any{0.0}}, {"ElasticNetParam", []any{-0.1, 1.1}, []any{0.0, 1.0}},
		{"Tol", []any{-1e-9}, []any{0.0}}, {"Family", []any{"", "gaussian"}, []any{"Binomial", "multinomial"}}, {"Threshold", []any{-0.1, 1.01}, []any{0.0, 1.0}},
		{"Thresholds", []any{[]float64{-1, 1}, []float64{0, 0}}, []any{[]float64{0, 1}}}, {"AggregationDepth", []any{1}, []any{2}}, {"MaxBlockSizeInMB", []any{-1.0}, []any{0.5}},
	},
	"RandomForestClassifier": append(treeEdges, edge{"Impurity", []any{"variance"}, []any{"Entropy"}}, edge{"NumTrees", []any{0}, []any{1}}),
	"GBTClassifier": append(treeEdges, edge{"Impurity", []any{"gini"}, []any{"variance"}}, edge{"MaxIter", []any{-1}, []any{0}},
		edge{"StepSize", []any{0.0, 1.1}, []any{1.0}}, edge{"LossType", []any{"squared"}, []any{"Logistic"}}, edge{"ValidationTol", []any{-0.1}, []any{0.0}}),
	"KMeans": {
		{"K", []any{1}, []any{2}}, {"MaxIter", []any{-1}, []any{0}}, {"Tol", []any{-1.0}, []any{0.0}}, {"InitMode", []any{"", "kmeans++"}, []any{"random"}},
		{"InitSteps", []any{0}, []any{1}}, {"DistanceMeasure", []any{"manhattan"}, []any{"cosine"}}, {"Solver", []any{"gpu"}, []any{"row", "block"}},
		{"MaxBlockSizeInMB", []any{-1.0}, []any{1.0}},
	},
	"BisectingKMeans": {
		{"K", []any{1}, []any{2}}, {"MaxIter", []any{-1}, []any{0}}, {"MinDivisibleClusterSize", []any{0.0, -1.0}, []any{0.1}},
		{"DistanceMeasure", []any{"manhattan"}, []any{"cosine"}},
	},
	"StringIndexer":                 {{"HandleInvalid", []any{"", "drop"}, []any{"skip", "keep"}}, {"StringOrderType", []any{"", "random"}, []any{"frequencyAsc", "alphabetDesc", "alphabetAsc"}}},
	"VectorAssembler":               {{"HandleInvalid", []any{"", "drop"}, []any{"skip", "keep"}}},
	"BinaryClassificationEvaluator": {{"MetricName", []any{"", "f1"}, []any{"areaUnderPR"}}, {"NumBins", []any{-1}, []any{0}}},
	"MulticlassClassificationEvaluator": {
		{"MetricName", []any{"", "auc"}, anys(multiclassMetrics)}, {"MetricLabel", []any{-1.0}, []any{0.0}}, {"Beta", []any{0.0}, []any{0.1}}, {"Eps", []any{0.0, 0.5}, []any{0.49}},
	},
	"RegressionEvaluator": {{"MetricName", []any{"", "f1"}, []any{"mse", "r2", "mae", "var"}}},
	"RankingEvaluator":    {{"MetricName", []any{"", "ndcg"}, []any{"meanAveragePrecisionAtK", "precisionAtK", "ndcgAtK", "recallAtK"}}, {"K", []any{0}, []any{1}}},
	"ClusteringEvaluator": {{"MetricName", []any{"", "cost"}, []any{"silhouette"}}, {"DistanceMeasure", []any{"euclidean"}, []any{"cosine"}}},
}

var treeEdges = []edge{
	{"MaxDepth", []any{-1, 31}, []any{0, 30}}, {"MaxBins", []any{1}, []any{2}}, {"MinInstancesPerNode", []any{0}, []any{1}},
	{"MinWeightFractionPerNode", []any{-0.1, 0.5}, []any{0.0, 0.49}}, {"MaxMemoryInMB", []any{-1}, []any{0}}, {"CheckpointInterval", []any{0, -2}, []any{-1, 1}},
	{"SubsamplingRate", []any{0.0, 1.1}, []any{0.1}}, {"FeatureSubsetStrategy", []any{"", "half", "0", "-1", "1.5"}, []any{"ALL", "onethird", "sqrt", "log2", "3", "0.5", "1.0"}},
	{"Thresholds", []any{[]float64{-1, 1}, []float64{0, 0}}, []any{[]float64{0, 1}}},
}

func anys(list []string) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}

// with returns a valid operator of the same kind with one field set; the required columns are filled in.
func with(op operator, field string, value any) operator {
	v := reflect.New(reflect.TypeOf(op).Elem())
	v.Elem().Set(reflect.ValueOf(op).Elem())
	for name, column := range map[string]any{"InputCol": "in", "OutputCol": "out", field: value} {
		if f := v.Elem().FieldByName(name); f.IsValid() && f.Type() == reflect.TypeOf(column) {
			f.Set(reflect.ValueOf(column))
		}
	}
	if a, ok := v.Interface().(*VectorAssembler); ok && field != "InputCols" {
		a.InputCols = []string{"a"}
	}
	return v.Interface().(operator)
}
