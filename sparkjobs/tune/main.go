// Command tune searches the settings that make the training's recommendations best on a shop's own events. --help lists its settings.
package main

import (
	"cartwheel/internal/shutdown"
	"cartwheel/internal/tuning"
)

func main() { shutdown.Main(tuning.Main) }
