// Package predict applies models that Spark trained, in Go, from the files that Spark's own writer left: binary logistic regression,
// random forests and gradient-boosted trees for two classes, KMeans by Euclidean distance, and StandardScaler.
//
// It promises what Spark's transform gives, to the last digits (floating-point sums may be taken in another order), and that a folder
// which is not whole and sound is refused with what is wrong and where: errors wrap ErrBadModel. It knows nothing of shops: a row of
// features is a slice of numbers, in the order in which the model was trained on them. Values are safe for concurrent use.
package predict

import (
	"errors"
	"fmt"
	"math"
	"path"
)

// ErrBadModel is wrapped by every error that says a model's files are not whole or not sound.
var ErrBadModel = errors.New("bad model")

// Classifier tells two classes apart.
type Classifier interface {
	// Features is how many numbers a row has.
	Features() int
	// Probability is that of class 1, as Spark's column probability has it. The row must have as many numbers as Features says.
	Probability(row []float64) float64
}

// Spark's classes of models.
const (
	logisticRegressionModel         = "org.apache.spark.ml.classification.LogisticRegressionModel"
	randomForestClassificationModel = "org.apache.spark.ml.classification.RandomForestClassificationModel"
	gbtClassificationModel          = "org.apache.spark.ml.classification.GBTClassificationModel"
	kMeansModel                     = "org.apache.spark.ml.clustering.KMeansModel"
	standardScalerModel             = "org.apache.spark.ml.feature.StandardScalerModel"
)

// LoadClassifier reads the model in a folder, of whichever kind it is.
func LoadClassifier(dir string) (Classifier, error) {
	return load(dir, func(f *folder) (Classifier, error) {
		switch f.meta.Class {
		case logisticRegressionModel:
			return readLogistic(f)
		case randomForestClassificationModel:
			return readForest(f)
		case gbtClassificationModel:
			return readBoosted(f)
		}
		return nil, fmt.Errorf("it is a %s, not a classifier that this program knows", path.Ext("."+f.meta.Class))
	})
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// sigmoid is the logistic function.
func sigmoid(v float64) float64 { return 1 / (1 + math.Exp(-v)) }
