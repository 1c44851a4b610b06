package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/table"

	"usher/cmd/internal/adminapi"
	"usher/licensing"
)

type auditCommand struct {
	folder
	Company   string `help:"The company." required:"" placeholder:"NAME"`
	Limit     int    `help:"How many of the latest events." default:"50" placeholder:"N"`
	Reference string `help:"Only the events of one request: the reference on a page that somebody was shown says why they were not let in." placeholder:"REFERENCE"`
}

func (cmd *auditCommand) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		latest := []adminapi.Event{}
		f := adminapi.EventFilter{Limit: 1000}
		for {
			page, err := c.Events(env.ctx, cmd.Company, f)
			if err != nil {
				return err
			}
			for _, e := range page.Items {
				if cmd.Reference == "" || strings.EqualFold(e.Request, cmd.Reference) {
					latest = append(latest, e)
				}
			}
			latest = latest[max(0, len(latest)-max(cmd.Limit, 0)):]
			if f.After = page.Next; f.After == "" {
				break
			}
		}
		if cmd.Reference != "" && !cmd.JSON && len(latest) > 0 {
			for _, e := range latest {
				fmt.Fprintln(env.stdout, cmd.tell(env, c, e))
			}
			return nil
		}
		return printList(env.stdout, cmd.JSON, latest, "Nothing has happened yet, or nothing by this reference.", table.Row{"event", "time", "what", "of", "by", "request"},
			func(e adminapi.Event) table.Row {
				return table.Row{e.Seq, e.Time.Format(time.DateTime), e.Action, e.Target, e.Actor.Kind + " " + e.By, e.Request}
			})
	})
}

// tell says an event in some lines, and of a sign-in that was refused why and what helps.
func (cmd *auditCommand) tell(env *environment, c *adminapi.Client, e adminapi.Event) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s", e.Time.Format(time.DateTime), e.Action)
	if e.Target != "" {
		who := e.Target
		if a, err := c.Account(env.ctx, cmd.Company, e.Target); err == nil { // else it is no account, or one that is gone
			who = a.UserName
		}
		fmt.Fprintf(&b, " of %s", who)
	}
	var detail map[string]any
	if json.Unmarshal(e.Detail, &detail) != nil {
		return b.String()
	}
	if code, ok := detail["code"].(string); ok {
		reason, _, _ := strings.Cut(code, ".")
		fmt.Fprintf(&b, ": %s\n  %s", code, licensing.Reason(reason).Sentence())
		if help := licensing.Reason(reason).Help(); help != "" {
			fmt.Fprintf(&b, "\n  What helps: %s", help)
		}
	}
	for _, name := range []string{"detail", "issuer", "subject", "address"} {
		if value, ok := detail[name].(string); ok && value != "" {
			fmt.Fprintf(&b, "\n  %s: %s", name, printable(value))
		}
	}
	return b.String()
}

// printable is a text that others have written, without what a terminal would obey.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}
