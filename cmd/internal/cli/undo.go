package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"usher/cmd/internal/adminapi"
)

type undoCommand struct {
	folder
	Company    string   `help:"The company." required:"" placeholder:"NAME"`
	Request    string   `arg:"" optional:"" help:"Id of the request whose changes are undone, as \"usher audit\" shows it."`
	Connection string   `help:"Instead of one request: what this connection did." placeholder:"NAME"`
	Since      lifetime `help:"With --connection: how long ago that began, at most 7d." placeholder:"2h"`
	Preview    bool     `help:"Say what would be undone, and change nothing."`
}

func (cmd *undoCommand) Run(env *environment) error {
	in := adminapi.Undoing{Request: cmd.Request, Connection: cmd.Connection}
	switch {
	case (cmd.Request == "") == (cmd.Connection == ""):
		return errors.New("name either a request, as \"usher audit\" shows it, or a connection with --connection and --since")
	case cmd.Connection != "" && cmd.Since <= 0:
		return errors.New("--connection needs --since: how long ago what is to be undone began, such as 2h")
	case cmd.Connection != "":
		in.Since = time.Now().UTC().Add(-time.Duration(cmd.Since))
	}
	return cmd.with(env, func(c *adminapi.Client) error {
		do := c.Undo
		if cmd.Preview {
			do = c.PreviewUndo
		}
		undone, err := do(env.ctx, cmd.Company, in)
		if err != nil {
			return err
		}
		err = printList(env.stdout, cmd.JSON, undone, "", table.Row{"change", "of", "undone"}, func(u adminapi.Undone) table.Row {
			is := "yes"
			if u.Reason != "" {
				is = "no: " + u.Problem
			}
			name := u.Name
			if name == "" {
				name = u.Target
			}
			return table.Row{u.Action, name, is}
		})
		if err == nil && cmd.Preview && !cmd.JSON {
			_, err = fmt.Fprintln(env.stdout, "Nothing was changed yet: leave out --preview to undo it.")
		}
		return err
	})
}
