// Command usher is a SCIM 2.0 identity-provisioning server with license seats; "usher --help" lists what it can do.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"usher/cmd/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := cli.Main(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}
