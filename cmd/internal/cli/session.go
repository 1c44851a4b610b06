package cli

import (
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"

	"usher/cmd/internal/adminapi"
)

type adminTOTP struct {
	folder
	Company string `help:"The company." required:"" placeholder:"NAME"`
	Login   string `arg:"" help:"The local admin's login, or with --person a user name."`
	Person  bool   `help:"Of a person with a role, who is no local admin."`
	Off     bool   `help:"Ask for no one-time passwords any more."`
}

func (cmd *adminTOTP) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		put, remove := c.PutTOTP, c.RemoveTOTP
		if cmd.Person {
			put, remove = c.PutPersonTOTP, c.RemovePersonTOTP
		}
		if cmd.Off {
			if err := remove(env.ctx, cmd.Company, cmd.Login); err != nil {
				return err
			}
			fmt.Fprintf(env.stdout, "%s signs in without one-time passwords.\n", cmd.Login)
			return nil
		}
		made, err := put(env.ctx, cmd.Company, cmd.Login)
		if err != nil {
			return err
		}
		if cmd.JSON {
			return printJSON(env.stdout, made)
		}
		fmt.Fprintf(env.stdout, "From now on %s needs a one-time password to sign in. Enter this secret in an authenticator app; it is shown only now:\n\n  %s\n  %s\n",
			cmd.Login, made.Secret, made.URL)
		return nil
	})
}

type sessionList struct {
	folder
	Company string `help:"The company." required:"" placeholder:"NAME"`
}

func (cmd *sessionList) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		sessions, err := c.Sessions(env.ctx, cmd.Company)
		if err != nil {
			return err
		}
		const minutes = "2006-01-02 15:04"
		return printList(env.stdout, cmd.JSON, sessions, "No admin is signed in.", table.Row{"id", "who", "role", "since", "last used", "until"},
			func(s adminapi.Session) table.Row {
				return table.Row{s.ID, s.Admin, s.Role, s.Created.Format(minutes), s.Seen.Format(minutes), s.Expires.Format(minutes)}
			})
	})
}

type sessionEnd struct {
	folder
	Company string `help:"The company." required:"" placeholder:"NAME"`
	ID      string `arg:"" help:"The session's id, as \"usher session list\" shows it."`
}

func (cmd *sessionEnd) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		if err := c.EndSession(env.ctx, cmd.Company, cmd.ID); err != nil {
			return err
		}
		fmt.Fprintln(env.stdout, "The session is over.")
		return nil
	})
}
