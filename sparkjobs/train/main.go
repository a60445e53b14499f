// Command train trains a model version on the batch files, by Spark, and makes it the champion. --help lists its settings.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"cartwheel/internal/train"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := train.Main(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
