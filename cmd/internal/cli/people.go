package cli

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"usher/cmd/internal/adminapi"
	"usher/licensing"
)

type accountAdd struct {
	folder
	Company   string `help:"The company." required:"" placeholder:"NAME"`
	Email     string `arg:"" optional:"" help:"The person's e-mail address. Without it, and without --file, people are read line by line from the terminal: address, given name, family name."`
	Given     string `help:"Given name." placeholder:"NAME"`
	Family    string `help:"Family name." placeholder:"NAME"`
	UserName  string `help:"User name, where it is not the address." placeholder:"NAME"`
	Extension string `help:"Number of the phone extension." placeholder:"N"`
	License   string `help:"License to assign: ringex or video-pro-plus. Everyone has Video Pro." placeholder:"LICENSE"`
	Role      string `help:"standard, user-admin or super-admin." placeholder:"ROLE"`
	Setup     string `help:"invite (a mail with a link), credentials (a password, shown once), or later (nobody is told)." default:"invite" enum:"invite,credentials,later"`
	File      string `help:"Add several people: CSV with the columns email, given_name, family_name, user_name, extension, license, role, setup, of which only email is needed. - reads standard input." placeholder:"FILE"`
	Preview   bool   `help:"Say what would become of them, and add nobody."`
}

func (cmd *accountAdd) Run(env *environment) error {
	in := adminapi.NewPeople{License: cmd.License, Role: cmd.Role, Setup: cmd.Setup}
	switch {
	case cmd.Email != "" && cmd.File != "":
		return errors.New("give an address or --file, not both")
	case cmd.Email != "":
		in.People = []adminapi.NewPerson{{
			Email: cmd.Email, UserName: cmd.UserName, GivenName: cmd.Given, FamilyName: cmd.Family, Extension: cmd.Extension,
		}}
		return cmd.with(env, func(c *adminapi.Client) error { return cmd.add(env, c, in, in.People) })
	case cmd.File != "":
		people, err := readPeople(cmd.File)
		if err != nil {
			return err
		}
		return cmd.with(env, func(c *adminapi.Client) error { return cmd.add(env, c, in, people) })
	}
	return cmd.with(env, func(c *adminapi.Client) error { return cmd.oneAfterAnother(env, c, in) })
}

const (
	batch      = 100   // rows that go with one request
	maxPreview = 2_000 // rows of a preview
)

// add adds people and shows what became of each row; its error says how many were not added.
func (cmd *accountAdd) add(env *environment, c *adminapi.Client, in adminapi.NewPeople, people []adminapi.NewPerson) error {
	var rows []adminapi.PersonRow
	do, size := c.AddPeople, batch
	if cmd.Preview && len(people) > maxPreview {
		return fmt.Errorf("a preview counts the seats over at most %d people, not %d: split the file", maxPreview, len(people))
	}
	if cmd.Preview { // at once, because each takes a seat from those after them
		do, size = c.PreviewPeople, len(people)
	}
	for at := 0; at < len(people); at += size {
		in.People = people[at:min(at+size, len(people))]
		out, err := do(env.ctx, cmd.Company, in)
		if err != nil {
			return errors.Join(show(env, cmd.JSON, people, rows), err)
		}
		for _, r := range out.Items {
			r.Row += at
			rows = append(rows, r)
		}
		if len(people) > size && !cmd.JSON {
			fmt.Fprintf(env.stderr, "%d of %d\n", len(rows), len(people))
		}
	}
	if err := show(env, cmd.JSON, people, rows); err != nil {
		return err
	}
	wrong := 0
	for _, r := range rows {
		if r.Problem != nil {
			wrong++
		}
	}
	if wrong > 0 && !cmd.Preview {
		return fmt.Errorf("%d of %d rows were not added; mend them and add them again", wrong, len(rows))
	}
	return nil
}

func show(env *environment, asJSON bool, people []adminapi.NewPerson, rows []adminapi.PersonRow) error {
	if len(rows) == 0 {
		return nil
	}
	return printList(env.stdout, asJSON, rows, "", table.Row{"row", "person", "member", "license", "set-up", "password", "remarks"}, func(r adminapi.PersonRow) table.Row {
		who := people[r.Row-1].Email
		var remarks []string
		for _, p := range []*adminapi.Problem{r.Problem, r.License, r.Role} {
			if p != nil {
				remarks = append(remarks, p.Detail)
			}
		}
		switch {
		case r.Account != nil:
			a := r.Account
			if text := more(*a); text != "" && len(remarks) == 0 {
				remarks = append(remarks, strings.TrimSpace(text))
			}
			return table.Row{r.Row, a.UserName, a.MemberType, licensing.License(a.EffectiveLicense).Name(), a.Activation, r.Password, strings.Join(remarks, " ")}
		case r.Prospect != nil:
			p := r.Prospect
			if p.Place > 0 {
				remarks = append(remarks, fmt.Sprintf("Would wait as number %d.", p.Place))
			} else if p.Reason != "" {
				remarks = append(remarks, p.Reason.Sentence())
			}
			return table.Row{r.Row, who, p.MemberType, p.Effective.Name(), "", "", strings.Join(remarks, " ")}
		}
		return table.Row{r.Row, who, "", "", "not added", "", strings.Join(remarks, " ")}
	})
}

// oneAfterAnother reads people from the terminal and adds each at once, until an empty line or the end. What is refused is said, and the
// next can be entered.
func (cmd *accountAdd) oneAfterAnother(env *environment, c *adminapi.Client, in adminapi.NewPeople) error {
	lines := bufio.NewScanner(os.Stdin)
	added, wrong := 0, 0
	for {
		fmt.Fprint(env.stderr, "address, given name, family name (empty to end): ")
		if !lines.Scan() || strings.TrimSpace(lines.Text()) == "" {
			break
		}
		parts := strings.SplitN(lines.Text()+",,", ",", 4)
		in.People = []adminapi.NewPerson{{
			Email: strings.TrimSpace(parts[0]), GivenName: strings.TrimSpace(parts[1]), FamilyName: strings.TrimSpace(parts[2]),
		}}
		out, err := c.AddPeople(env.ctx, cmd.Company, in)
		var p *adminapi.Problem
		switch {
		case errors.As(err, &p):
			wrong++
			fmt.Fprintf(env.stderr, "Not added: %s\n", p.Detail)
			continue
		case err != nil:
			return err
		}
		added++
		if err := show(env, cmd.JSON, in.People, out.Items); err != nil {
			return err
		}
	}
	fmt.Fprintf(env.stderr, "%d added.\n", added)
	if wrong > 0 {
		return fmt.Errorf("%d of %d were not added", wrong, added+wrong)
	}
	return lines.Err()
}

// readPeople reads people out of a CSV file whose first line names the columns.
func readPeople(file string) ([]adminapi.NewPerson, error) {
	var r io.Reader = os.Stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("cannot read the people: %w", err)
		}
		defer f.Close()
		r = f
	}
	table := csv.NewReader(r)
	table.TrimLeadingSpace = true
	header, err := table.Read()
	if err != nil {
		return nil, fmt.Errorf("%s: the first line must name the columns: %w", file, err)
	}
	var people []adminapi.NewPerson
	for {
		line, err := table.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		var p adminapi.NewPerson
		columns := map[string]*string{
			"email": &p.Email, "given_name": &p.GivenName, "family_name": &p.FamilyName, "user_name": &p.UserName, "extension": &p.Extension,
			"license": &p.License, "role": &p.Role, "setup": &p.Setup,
		}
		for i, name := range header {
			name = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(name, "\ufeff"))) // spreadsheets begin with a byte order mark
			into := columns[name]
			if into == nil {
				return nil, fmt.Errorf("%s: there is no column %q; there are email, given_name, family_name, user_name, extension, license, role and setup", file, name)
			}
			*into = strings.TrimSpace(line[i])
		}
		people = append(people, p)
	}
	if len(people) == 0 {
		return nil, fmt.Errorf("%s names nobody: below the line with the columns each line is a person", file)
	}
	return people, nil
}

type accountInvite struct{ person }

func (cmd *accountInvite) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		after, err := c.Invite(env.ctx, cmd.Company, cmd.Account)
		if err != nil {
			return err
		}
		if cmd.JSON {
			return printJSON(env.stdout, after)
		}
		page, err := c.Mails(env.ctx, cmd.Company, adminapi.MailFilter{Account: after.ID, Limit: 1})
		if err != nil {
			return err
		}
		fmt.Fprintf(env.stdout, "An invitation for %s is in the outbox; links sent earlier are good no more.\n", after.Display)
		if page.Held != "" {
			fmt.Fprintln(env.stdout, page.Held)
		}
		return nil
	})
}

type accountCredentials struct{ person }

func (cmd *accountCredentials) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		after, err := c.AssignCredentials(env.ctx, cmd.Company, cmd.Account, adminapi.Credentials{})
		if err != nil {
			return err
		}
		if cmd.JSON {
			return printJSON(env.stdout, after)
		}
		fmt.Fprintf(env.stdout, "%s is active. The password, which is shown only here and to be changed at first use: %s\n", after.Display, after.Password)
		return nil
	})
}

type accountSet struct {
	person
	Active    *bool   `help:"Whether the person has access." negatable:""`
	Extension *string `help:"Number of the phone extension; empty takes it away." placeholder:"N"`
	Display   *string `help:"The name that is shown." placeholder:"NAME"`
	Title     *string `help:"The person's title." placeholder:"TITLE"`
}

func (cmd *accountSet) Run(env *environment) error {
	change := adminapi.AccountChange{Active: cmd.Active, Extension: cmd.Extension, Attributes: map[string]any{}}
	for name, value := range map[string]*string{"displayName": cmd.Display, "title": cmd.Title} {
		switch {
		case value == nil:
		case *value == "":
			change.Attributes[name] = nil
		default:
			change.Attributes[name] = *value
		}
	}
	return cmd.become(env, change)
}

type accountRemove struct{ person }

func (cmd *accountRemove) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		if err := c.DeleteAccount(env.ctx, cmd.Company, cmd.Account); err != nil {
			return err
		}
		fmt.Fprintf(env.stdout, "%s is removed; the seat is free.\n", cmd.Account)
		return nil
	})
}

type mailList struct {
	folder
	Company string `help:"The company." required:"" placeholder:"NAME"`
	Account string `help:"Only those about one person: user name, id or externalId." placeholder:"ACCOUNT"`
	Limit   int    `help:"How many at most." default:"50" placeholder:"N"`
}

func (cmd *mailList) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		page, err := c.Mails(env.ctx, cmd.Company, adminapi.MailFilter{Account: cmd.Account, Limit: min(cmd.Limit, 1000)})
		if err != nil {
			return err
		}
		if page.Held != "" && !cmd.JSON {
			fmt.Fprintln(env.stdout, page.Held)
		}
		const minutes = "2006-01-02 15:04"
		return printList(env.stdout, cmd.JSON, page.Items, "There are no mails.", table.Row{"mail", "to", "state", "attempts", "written", "sent or given up", "error"},
			func(m adminapi.Mail) table.Row {
				done := ""
				if !m.Done.IsZero() {
					done = m.Done.Format(minutes)
				}
				return table.Row{m.Kind, m.To, m.State, m.Attempts, m.Created.Format(minutes), done, m.Error}
			})
	})
}
