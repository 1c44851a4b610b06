package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"usher/cmd/internal/adminapi"
	"usher/scim"
)

type connectionList struct {
	folder
	Company string `help:"The company." required:"" placeholder:"NAME"`
}

func (cmd *connectionList) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		connections, err := c.Connections(env.ctx, cmd.Company)
		if err != nil {
			return err
		}
		return printList(env.stdout, cmd.JSON, connections, "The company has no connections; its first token makes one.",
			table.Row{"connection", "mode", "losses", "quirks off", "quirks applied", "last", "since"},
			func(c adminapi.Connection) table.Row {
				off := strings.Join(c.QuirksOff, "\n")
				if c.Strict {
					off = "all: strict"
				}
				applied, last := uses(c.QuirksApplied)
				return table.Row{c.Name, c.Mode, c.Losses, off, applied, last, day(c.Created, "")}
			})
	})
}

// uses shows how often each quirk was applied, and when last, one a line.
func uses(applied map[string]adminapi.QuirkUse) (counts, last string) {
	var lines, days []string
	for _, name := range slices.Sorted(maps.Keys(applied)) {
		lines = append(lines, fmt.Sprintf("%s: %d", name, applied[name].Count))
		days = append(days, day(applied[name].Last, ""))
	}
	return strings.Join(lines, "\n"), strings.Join(days, "\n")
}

type connectionSet struct {
	folder
	Company    string   `help:"The company." required:"" placeholder:"NAME"`
	Connection string   `help:"The connection." required:"" placeholder:"NAME"`
	Mode       string   `help:"live, or paused: everything is kept and no writes are accepted." enum:"live,paused," default:"" placeholder:"live|paused"`
	Strict     string   `help:"on: follow the standard to the letter, without any quirk; off: tolerate them again." enum:"on,off," default:"" placeholder:"on|off"`
	Losses     string   `help:"What the connection takes away from people beyond the company's limit: pass (for an hour), refuse, or watch again." enum:"pass,refuse,watch," default:"" placeholder:"pass|refuse|watch"`
	QuirkOff   []string `help:"Be strict about this departure from the standard; may be given several times." placeholder:"NAME"`
	QuirkOn    []string `help:"Tolerate it again; may be given several times." placeholder:"NAME"`
}

func (cmd *connectionSet) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		change := adminapi.ConnectionChange{Mode: cmd.Mode, QuirksOff: cmd.QuirkOff, QuirksOn: cmd.QuirkOn, Losses: cmd.Losses}
		if cmd.Strict != "" {
			strict := cmd.Strict == "on"
			change.Strict = &strict
		}
		after, err := c.ChangeConnection(env.ctx, cmd.Company, cmd.Connection, change)
		if err != nil {
			return err
		}
		if cmd.JSON {
			return printJSON(env.stdout, after)
		}
		off := "tolerates all quirks"
		switch {
		case after.Strict:
			off = "tolerates no quirks"
		case len(after.QuirksOff) > 0:
			off = "tolerates all quirks but " + strings.Join(after.QuirksOff, ", ")
		}
		fmt.Fprintf(env.stdout, "The connection %s is %s and %s; losses of people are %s.\n", after.Name, after.Mode, off, after.Losses)
		return nil
	})
}

// connectionQuirks needs no data folder: the quirks are those of the program.
type connectionQuirks struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// quirk is one quirk as it is printed.
type quirk struct {
	Name     string `json:"name"`
	Vendor   string `json:"vendor"`
	Sentence string `json:"sentence"`
}

func (cmd *connectionQuirks) Run(env *environment) error {
	var quirks []quirk
	for _, q := range scim.Quirks() {
		quirks = append(quirks, quirk{q.Name, q.Vendor, q.Sentence})
	}
	return printList(env.stdout, cmd.JSON, quirks, "There are no quirks.", table.Row{"quirk", "sent by", "what is tolerated"},
		func(q quirk) table.Row { return table.Row{q.Name, q.Vendor, q.Sentence} })
}
