package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"usher/cmd/internal/adminapi"
	"usher/sso"
)

// clientSecret is a secret from a file or the environment: on the command line everybody on the machine could read it.
type clientSecret struct {
	ClientSecretFile string `help:"File with the client's secret; - reads it from the standard input." placeholder:"FILE"`
	ClientSecretEnv  string `help:"Environment variable with the client's secret." placeholder:"NAME"`
}

// maxSecretFile is how many bytes are read of a file with a secret.
const maxSecretFile = 64 << 10

func (s clientSecret) read() (string, error) {
	switch {
	case s.ClientSecretFile != "" && s.ClientSecretEnv != "":
		return "", errors.New("give the client's secret by --client-secret-file or by --client-secret-env, not by both")
	case s.ClientSecretEnv != "":
		value, ok := os.LookupEnv(s.ClientSecretEnv)
		if !ok {
			return "", fmt.Errorf("there is no environment variable %s", s.ClientSecretEnv)
		}
		return value, nil
	case s.ClientSecretFile == "":
		return "", nil
	}
	var from io.Reader = os.Stdin
	if s.ClientSecretFile != "-" {
		f, err := os.Open(s.ClientSecretFile)
		if err != nil {
			return "", fmt.Errorf("cannot read the client's secret: %w", err)
		}
		defer f.Close()
		from = f
	}
	b, err := io.ReadAll(io.LimitReader(from, maxSecretFile))
	if err != nil {
		return "", fmt.Errorf("cannot read the client's secret: %w", err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

type connectionSignOn struct {
	folder
	clientSecret
	Company      string         `help:"The company." required:"" placeholder:"NAME"`
	Connection   string         `help:"The connection; it is made if there is none of the name." required:"" placeholder:"NAME"`
	State        string         `help:"draft, active (people can sign in) or disabled." enum:"draft,active,disabled," default:"" placeholder:"STATE"`
	Issuer       *string        `help:"The identity provider, such as https://acme.okta.com." placeholder:"URL"`
	ClientID     *string        `help:"The client id that it shows with the application." placeholder:"ID"`
	ClientAuth   *string        `help:"How usher proves to be the client: client_secret_basic, client_secret_post or private_key_jwt, for which usher makes a key." placeholder:"HOW"`
	MatchClaim   *string        `help:"The claim that is an account's externalId: sub, or with Entra ID oid." placeholder:"CLAIM"`
	ResponseMode *string        `help:"How the answer comes: query or form_post." placeholder:"MODE"`
	Algorithm    []string       `help:"That ID tokens may be signed by; may be given several times. RS256, PS256, ES256 and EdDSA unless it is." placeholder:"ALG"`
	Scope        []string       `help:"To ask for beside those that are needed; may be given several times." placeholder:"SCOPE"`
	MaxAge       *time.Duration `help:"How long ago people may have proven who they are to the identity provider, such as 12h; 0s: it decides that." placeholder:"TIME"`
	StrictLogout string         `help:"on: logout tokens must have the type logout+jwt; off: older ones will do." enum:"on,off," default:"" placeholder:"on|off"`
	Untested     bool           `help:"Activate it although nobody has tried it out."`
	Unchecked    bool           `help:"Store it as a draft although the identity provider does not answer as it should."`
	Remove       bool           `help:"Take single sign-on away from the connection."`
}

func (cmd *connectionSignOn) Run(env *environment) error {
	change := adminapi.SignOnChange{
		State: cmd.State, Issuer: cmd.Issuer, ClientID: cmd.ClientID, ClientAuth: cmd.ClientAuth, MatchClaim: cmd.MatchClaim, ResponseMode: cmd.ResponseMode,
		Algorithms: cmd.Algorithm, Scopes: cmd.Scope, Untested: cmd.Untested, Unchecked: cmd.Unchecked,
	}
	if cmd.MaxAge != nil {
		seconds := int(*cmd.MaxAge / time.Second)
		change.MaxAge = &seconds
	}
	if cmd.StrictLogout != "" {
		strict := cmd.StrictLogout == "on"
		change.StrictLogout = &strict
	}
	var err error
	if change.ClientSecret, err = cmd.read(); err != nil {
		return err
	}
	return cmd.with(env, func(c *adminapi.Client) error {
		if cmd.Remove {
			if err := c.RemoveSignOn(env.ctx, cmd.Company, cmd.Connection); err != nil {
				return err
			}
			fmt.Fprintf(env.stdout, "The connection %s has no single sign-on any more; the sessions that were opened by it are over.\n", cmd.Connection)
			return nil
		}
		after, err := c.SetSignOn(env.ctx, cmd.Company, cmd.Connection, change)
		if err != nil {
			return err
		}
		return showSignOn(env, cmd.JSON, cmd.Company, cmd.Connection, after)
	})
}

type connectionShow struct {
	folder
	Company    string `help:"The company." required:"" placeholder:"NAME"`
	Connection string `help:"The connection." required:"" placeholder:"NAME"`
}

func (cmd *connectionShow) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		s, err := c.SignOn(env.ctx, cmd.Company, cmd.Connection)
		if err != nil {
			return err
		}
		return showSignOn(env, cmd.JSON, cmd.Company, cmd.Connection, s)
	})
}

// showSignOn prints single sign-on by a connection, and what to do next.
func showSignOn(env *environment, asJSON bool, company, connection string, s adminapi.SignOn) error {
	if asJSON {
		return printJSON(env.stdout, s)
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	row := func(name, value string) {
		if value != "" {
			t.AppendRow(table.Row{name, value})
		}
	}
	row("state", s.State)
	row("issuer", s.Issuer)
	row("client id", s.ClientID)
	row("client authentication", s.ClientAuth)
	row("fingerprint of the secret", s.Fingerprint)
	row("match claim", s.MatchClaim)
	row("response mode", s.ResponseMode)
	row("algorithms", strings.Join(s.Algorithms, ", "))
	row("more scopes", strings.Join(s.Scopes, ", "))
	t.AppendSeparator()
	row("redirect URI", s.RedirectURI)
	row("sign-out redirect URI", s.SignedOutURI)
	row("back-channel logout URI", s.LogoutURI)
	row("initiate login URI", s.InitiateURI)
	row("keys (jwks_uri)", s.KeysURI)
	row("people sign in at", s.StartURL)
	fmt.Fprintln(env.stdout, t.Render())
	if strings.HasPrefix(s.RedirectURI, "/") {
		fmt.Fprintln(env.stdout, "No server runs on the data folder, so the addresses lack its public one.")
	}
	if s.State == "draft" {
		fmt.Fprintf(env.stdout, "Enter the redirect URI at the identity provider, then try it out: usher connection test --company %s --connection %s\n", company, connection)
	}
	if s.State == "tested" {
		fmt.Fprintf(env.stdout, "Let people in by it: usher connection sign-on --company %s --connection %s --state active\n", company, connection)
	}
	return nil
}

type connectionTest struct {
	folder
	Company    string `help:"The company." required:"" placeholder:"NAME"`
	Connection string `help:"The connection." required:"" placeholder:"NAME"`
}

func (cmd *connectionTest) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		test, err := c.TestSignOn(env.ctx, cmd.Company, cmd.Connection)
		if err != nil {
			return err
		}
		if cmd.JSON {
			return printJSON(env.stdout, test)
		}
		passed := true
		for _, check := range test.Checks {
			passed = passed && check.Passed
			fmt.Fprintln(env.stdout, checkLine(check))
		}
		switch {
		case !passed:
			return errors.New("the identity provider does not answer as it should; correct the settings with \"usher connection sign-on\"")
		case test.URL == "":
			fmt.Fprintln(env.stdout, "To try a sign-in out, start the server on this data folder and ask again.")
		default:
			fmt.Fprintf(env.stdout, "\nOpen this address in a browser until %s and sign in. It shows what would happen, and signs nobody in here:\n\n  %s\n",
				test.Until.Format("15:04 MST"), test.URL)
		}
		return nil
	})
}

func checkLine(c sso.Check) string {
	mark := "yes"
	if !c.Passed {
		mark = "NO "
	}
	return fmt.Sprintf("%s  %s (%s)", mark, c.Asks, c.Found)
}

type connectionRotate struct {
	folder
	clientSecret
	Company    string `help:"The company." required:"" placeholder:"NAME"`
	Connection string `help:"The connection." required:"" placeholder:"NAME"`
}

func (cmd *connectionRotate) Run(env *environment) error {
	secret, err := cmd.read()
	if err != nil {
		return err
	}
	return cmd.with(env, func(c *adminapi.Client) error {
		s, err := c.RotateSecret(env.ctx, cmd.Company, cmd.Connection, secret)
		if err != nil {
			return err
		}
		if cmd.JSON {
			return printJSON(env.stdout, s)
		}
		fmt.Fprintf(env.stdout, "The connection %s uses the secret with the fingerprint %s; the sessions that were opened by it are over.\n", cmd.Connection, s.Fingerprint)
		return nil
	})
}

type accountSessions struct {
	folder
	Company string `help:"The company." required:"" placeholder:"NAME"`
	Account string `arg:"" optional:"" help:"The person's id, user name or externalId; without it everybody's sessions are listed."`
}

func (cmd *accountSessions) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		var sessions []adminapi.PersonSession
		for after := ""; ; {
			page, err := c.PersonSessions(env.ctx, cmd.Company, cmd.Account, after)
			if err != nil {
				return err
			}
			sessions, after = append(sessions, page.Items...), page.Next
			if after == "" {
				break
			}
		}
		const minutes = "2006-01-02 15:04"
		return printList(env.stdout, cmd.JSON, sessions, "Nobody is signed in.", table.Row{"id", "who", "by", "from", "since", "last used", "good"},
			func(s adminapi.PersonSession) table.Row {
				good := "yes"
				if !s.Good {
					good = "no: " + s.Reason
				}
				return table.Row{s.ID, s.UserName, s.By, s.Address, s.Since.Format(minutes), s.Seen.Format(minutes), good}
			})
	})
}

type accountSignOut struct {
	folder
	Company string `help:"The company." required:"" placeholder:"NAME"`
	Account string `arg:"" optional:"" help:"The person's id, user name or externalId: all their sessions end."`
	Session string `help:"Only the session with this id." placeholder:"ID"`
}

func (cmd *accountSignOut) Run(env *environment) error {
	if (cmd.Account == "") == (cmd.Session == "") {
		return errors.New("name the person whose sessions end, or with --session one session")
	}
	return cmd.with(env, func(c *adminapi.Client) error {
		if cmd.Session != "" {
			if err := c.EndPersonSession(env.ctx, cmd.Company, cmd.Session); err != nil {
				return err
			}
			fmt.Fprintln(env.stdout, "The session is over.")
			return nil
		}
		if err := c.EndPersonSessions(env.ctx, cmd.Company, cmd.Account); err != nil {
			return err
		}
		fmt.Fprintf(env.stdout, "All sessions of %s are over.\n", cmd.Account)
		return nil
	})
}

type accountUnlink struct {
	folder
	Company string `help:"The company." required:"" placeholder:"NAME"`
	Account string `arg:"" help:"The person's id, user name or externalId."`
}

func (cmd *accountUnlink) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		if err := c.Unlink(env.ctx, cmd.Company, cmd.Account); err != nil {
			return err
		}
		fmt.Fprintf(env.stdout, "%s is linked to nobody at the identity provider, and their sessions are over; they are linked anew when they sign in.\n", cmd.Account)
		return nil
	})
}
