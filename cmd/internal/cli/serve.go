package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"os"

	"usher/cmd/internal/adminapi"
	"usher/cmd/internal/app"
)

type serveCommand struct {
	Config      string `help:"The configuration file (TOML); without it all settings have their defaults." type:"path" placeholder:"FILE"`
	CheckConfig bool   `help:"Only say whether the configuration is right."`
}

func (cmd *serveCommand) Run(env *environment) (err error) {
	var config app.Config
	if cmd.Config != "" {
		if config, err = app.LoadConfig(cmd.Config); err != nil {
			return err
		}
	}
	if uri := os.Getenv(storeVariable); uri != "" {
		if err := app.CheckStore(uri); err != nil {
			return fmt.Errorf("%s: %w", storeVariable, err)
		}
		config.Store = uri
	}
	if cmd.CheckConfig {
		_, err := fmt.Fprintln(env.stdout, "The configuration is right.")
		return err
	}
	a, err := app.New(env.ctx, config, slog.New(slog.NewJSONHandler(env.stderr, nil)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	if err := cmd.welcome(env, a, config); err != nil {
		return err
	}
	return a.Run(env.ctx)
}

// welcome says how to go on when the server has no company yet.
func (cmd *serveCommand) welcome(env *environment, a *app.App, config app.Config) error {
	companies, err := adminapi.InProcess(a.Admin(), operator()).Companies(env.ctx)
	if err != nil || len(companies) > 0 {
		return err
	}
	_, err = fmt.Fprintf(env.stdout, `There is no company yet. Make one, and a token for its identity provider, in another terminal:

  usher company create acme --tier video-pro-plus --seats video-pro-plus=5 --domain acme.example --data %[1]s
  usher token create --company acme --connection okta --assign-licenses --data %[1]s

The identity provider then connects to %[2]s with that token.
`, config.DataFolder(), a.SCIMBase())
	return err
}
