// Command generate writes a generated data set in RetailRocket's format: events.csv, and beside it the category tree, the items'
// categories, and GENERATED.json, which says that it is generated and how. It never replaces a file that it did not write.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}
