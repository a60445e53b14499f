//go:build integration

package sparkml_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"cartwheel/internal/spark"
	"cartwheel/internal/sparkml"
)

func Example() {
	ctx := context.Background()
	session, err := spark.Connect(ctx, os.Getenv("SPARK_REMOTE"))
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()
	visitors, err := session.Sql(ctx, `SELECT id % 2 label, 10 * (id % 2) + sin(id) views, cos(3 * id) pause FROM range(200)`)
	if err != nil {
		log.Fatal(err)
	}

	assembler := sparkml.NewVectorAssembler()
	assembler.InputCols, assembler.OutputCol = []string{"views", "pause"}, "raw"
	scaler := sparkml.NewStandardScaler()
	scaler.InputCol, scaler.OutputCol = "raw", "features"
	model, err := sparkml.NewPipeline(assembler, scaler, sparkml.NewLogisticRegression()).Fit(ctx, session, visitors)
	if err != nil {
		log.Fatal(err)
	}
	predicted, err := model.Transform(ctx, visitors)
	if err != nil {
		log.Fatal(err)
	}
	area, err := sparkml.NewBinaryClassificationEvaluator().Evaluate(ctx, session, predicted)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("area under ROC: %.2f\n", area)
	// Output: area under ROC: 1.00
}

func ExampleCrossValidate() {
	ctx := context.Background()
	session, err := spark.Connect(ctx, os.Getenv("SPARK_REMOTE"))
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()
	data, err := session.Sql(ctx, `SELECT id % 20 user, id % 7 item, IF(id % 7 < 3, 5.0f, 1.0f) rating FROM range(140)`)
	if err != nil {
		log.Fatal(err)
	}

	candidates := sparkml.Grid(func() *sparkml.ALS {
		als := sparkml.NewALS()
		als.Rank, als.MaxIter, als.ColdStartStrategy = 1, 5, "drop"
		als.NumUserBlocks, als.NumItemBlocks = 2, 2 // the data is small
		return als
	}, sparkml.Axis(func(als *sparkml.ALS, v float64) { als.RegParam = v }, 100, 0.1))
	evaluator := sparkml.NewRegressionEvaluator()
	evaluator.LabelCol = "rating"
	tuned, err := sparkml.CrossValidate(ctx, session, sparkml.NewCrossValidator(), candidates, evaluator, data)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("best regParam:", candidates[tuned.BestIndex].RegParam)
	// Output: best regParam: 0.1
}

func ExampleALS_Validate() {
	als := sparkml.NewALS()
	als.Rank = 0
	fmt.Println(als.Validate())
	// Output: invalid parameter: ALS.rank = 0: must be a number of at least 1
}
