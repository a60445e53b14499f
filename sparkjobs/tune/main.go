// Command tune searches the settings that make the training's recommendations best on a shop's own events. --help lists its settings.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"cartwheel/internal/tuning"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := tuning.Main(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
