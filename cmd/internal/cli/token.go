package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"usher/cmd/internal/adminapi"
)

// lifetime is how long a token is valid; 0: for ever.
type lifetime time.Duration

// UnmarshalText reads "365d", "12h" or "never".
func (l *lifetime) UnmarshalText(text []byte) error {
	s := string(text)
	if s == "never" {
		*l = 0
		return nil
	}
	d, err := time.ParseDuration(s)
	if number, ok := strings.CutSuffix(s, "d"); ok {
		var days int
		const most = 100 * 365
		if days, err = strconv.Atoi(number); err == nil && days > most {
			return fmt.Errorf("%q is more than a hundred years", s)
		}
		d = time.Duration(days) * 24 * time.Hour
	}
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is not a time like 365d, 12h or never", s)
	}
	*l = lifetime(d)
	return nil
}

type tokenCreate struct {
	folder
	Company        string   `help:"The company." required:"" placeholder:"NAME"`
	Connection     string   `help:"The connection: one name for each identity provider." required:"" placeholder:"NAME"`
	AssignLicenses bool     `help:"Let what the identity provider says about licenses take effect without an approval."`
	Expires        lifetime `help:"How long the token is valid: 365d, 12h, never." default:"365d" placeholder:"365d"`
}

func (cmd *tokenCreate) Run(env *environment) error {
	in := adminapi.NewToken{Connection: cmd.Connection, AssignLicenses: cmd.AssignLicenses}
	if cmd.Expires > 0 {
		in.Expires = time.Now().UTC().Add(time.Duration(cmd.Expires)).Truncate(time.Second)
	}
	return cmd.with(env, func(c *adminapi.Client) error {
		made, err := c.CreateToken(env.ctx, cmd.Company, in)
		if err != nil {
			return err
		}
		if cmd.JSON {
			return printJSON(env.stdout, made)
		}
		fmt.Fprintf(env.stdout, "%s\n", made.Secret)
		fmt.Fprintf(env.stderr, "This token of the connection %s is shown only now; it expires: %s. Its id is %s.\n",
			made.Connection, day(made.Expires, "never"), made.ID)
		if !cmd.AssignLicenses {
			fmt.Fprintln(env.stderr, "Licenses that it asks for wait for an approval; --assign-licenses makes a token whose requests take effect.")
		}
		return nil
	})
}

type tokenList struct {
	folder
	Company string `help:"The company." required:"" placeholder:"NAME"`
}

func (cmd *tokenList) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		tokens, err := c.Tokens(env.ctx, cmd.Company)
		if err != nil {
			return err
		}
		return printList(env.stdout, cmd.JSON, tokens, "The company has no tokens.",
			table.Row{"id", "connection", "scopes", "since", "expires"},
			func(t adminapi.Token) table.Row {
				return table.Row{t.ID, t.Connection, strings.Join(t.Scopes, " "), day(t.Created, ""), day(t.Expires, "never")}
			})
	})
}

type tokenRevoke struct {
	folder
	Company string `help:"The company." required:"" placeholder:"NAME"`
	ID      string `arg:"" help:"The token's id, as \"usher token list\" shows it."`
}

func (cmd *tokenRevoke) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		if err := c.RevokeToken(env.ctx, cmd.Company, cmd.ID); err != nil {
			return err
		}
		if cmd.JSON {
			return printJSON(env.stdout, map[string]string{"revoked": cmd.ID})
		}
		fmt.Fprintln(env.stdout, "The token is not accepted any more.")
		return nil
	})
}
