//go:build integration

package main

import (
	"os"
	"testing"
)

func TestSparkThatWorks(t *testing.T) {
	p := setup(t)
	p.env["SPARK_REMOTE"] = os.Getenv("SPARK_REMOTE")
	p.expect("spark", "ok spark: version "+sparkVersion+" answers", "ok workers: a task ran (executors: 1")
}
