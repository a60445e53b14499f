// Command generate writes a generated data set in RetailRocket's format: events.csv, and beside it the category tree, the items'
// categories, and GENERATED.json, which says that it is generated and how. It never replaces a file that it did not write.
package main

import "cartwheel/internal/shutdown"

func main() { shutdown.Main(run) }
