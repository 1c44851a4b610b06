package cli

import (
	"fmt"

	"usher/cmd/internal/adminapi"
)

type secretsRewrap struct {
	folder
	NewKey bool `help:"Make a key first, by which everything is sealed from now on."`
	Forget bool `help:"Forget the keys of before afterwards. Not within a day of --new-key: sign-ins and answers to repeated requests that are under way are sealed by them."`
}

func (cmd *secretsRewrap) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		done, err := c.Rewrap(env.ctx, adminapi.Rewrapping{NewKey: cmd.NewKey, Forget: cmd.Forget})
		if err != nil {
			return err
		}
		if cmd.JSON {
			return printJSON(env.stdout, done)
		}
		fmt.Fprintf(env.stdout, "%d secrets were sealed anew; there are %d keys.\n", done.Secrets, done.Keys)
		if done.Lost > 0 {
			fmt.Fprintf(env.stdout, "%d secrets are opened by no key any more: set these connections' secrets and these one-time passwords anew.\n", done.Lost)
		}
		return nil
	})
}
