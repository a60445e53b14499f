// Command train trains a model version on the batch files, by Spark, and makes it the champion. --help lists its settings.
package main

import (
	"cartwheel/internal/shutdown"
	"cartwheel/internal/train"
)

func main() { shutdown.Main(train.Main) }
