package cli

import (
	"fmt"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"usher/cmd/internal/adminapi"
)

type adminSet struct {
	folder
	Company     string `help:"The company." required:"" placeholder:"NAME"`
	Login       string `arg:"" help:"The admin's login; one that is not there is added."`
	Role        string `help:"super-admin or user-admin." placeholder:"ROLE"`
	NewPassword bool   `help:"Make another password."`
}

func (cmd *adminSet) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		after, err := c.PutAdmin(env.ctx, cmd.Company, cmd.Login, adminapi.AdminChange{Role: cmd.Role, NewPassword: cmd.NewPassword})
		if err != nil {
			return err
		}
		if cmd.JSON {
			return printJSON(env.stdout, after)
		}
		fmt.Fprintf(env.stdout, "%s is a local %s of %s.\n", after.Login, after.Role, cmd.Company)
		if after.Password != "" {
			fmt.Fprintf(env.stdout, "The password is %s, which is shown only now.\n", after.Password)
		}
		return nil
	})
}

type adminList struct {
	folder
	Company string `help:"The company." required:"" placeholder:"NAME"`
}

func (cmd *adminList) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		admins, err := c.Admins(env.ctx, cmd.Company)
		if err != nil {
			return err
		}
		return printList(env.stdout, cmd.JSON, admins, "The company has no local admins.", table.Row{"login", "role", "since"},
			func(a adminapi.Admin) table.Row { return table.Row{a.Login, a.Role, day(a.Created, "")} })
	})
}

type adminRemove struct {
	folder
	Company string `help:"The company." required:"" placeholder:"NAME"`
	Login   string `arg:"" help:"The admin's login."`
}

func (cmd *adminRemove) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		if err := c.RemoveAdmin(env.ctx, cmd.Company, cmd.Login); err != nil {
			return err
		}
		if cmd.JSON {
			return printJSON(env.stdout, map[string]string{"removed": cmd.Login})
		}
		fmt.Fprintf(env.stdout, "%s is no local admin of %s any more.\n", cmd.Login, cmd.Company)
		return nil
	})
}

type keyCreate struct {
	folder
	Company string   `help:"The company." required:"" placeholder:"NAME"`
	Admin   string   `arg:"" help:"Login of the local admin whose key it is."`
	Expires lifetime `help:"How long the key is valid: 365d, 12h, never." default:"365d" placeholder:"365d"`
}

func (cmd *keyCreate) Run(env *environment) error {
	in := adminapi.NewKey{Admin: cmd.Admin}
	if cmd.Expires > 0 {
		in.Expires = time.Now().UTC().Add(time.Duration(cmd.Expires)).Truncate(time.Second)
	}
	return cmd.with(env, func(c *adminapi.Client) error {
		made, err := c.CreateKey(env.ctx, cmd.Company, in)
		if err != nil {
			return err
		}
		if cmd.JSON {
			return printJSON(env.stdout, made)
		}
		fmt.Fprintln(env.stdout, made.Secret)
		fmt.Fprintf(env.stderr, "This key of %s is shown only now; it expires: %s. Its id is %s.\n", made.Admin, day(made.Expires, "never"), made.ID)
		return nil
	})
}

type keyList struct {
	folder
	Company string `help:"The company." required:"" placeholder:"NAME"`
}

func (cmd *keyList) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		keys, err := c.Keys(env.ctx, cmd.Company)
		if err != nil {
			return err
		}
		return printList(env.stdout, cmd.JSON, keys, "The company's admins have no keys.", table.Row{"id", "admin", "since", "expires"},
			func(k adminapi.Key) table.Row {
				return table.Row{k.ID, k.Admin, day(k.Created, ""), day(k.Expires, "never")}
			})
	})
}

type keyRevoke struct {
	folder
	Company string `help:"The company." required:"" placeholder:"NAME"`
	ID      string `arg:"" help:"The key's id, as \"usher key list\" shows it."`
}

func (cmd *keyRevoke) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		if err := c.RevokeKey(env.ctx, cmd.Company, cmd.ID); err != nil {
			return err
		}
		if cmd.JSON {
			return printJSON(env.stdout, map[string]string{"revoked": cmd.ID})
		}
		fmt.Fprintln(env.stdout, "The key is worth nothing any more.")
		return nil
	})
}
