package cli

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/jedib0t/go-pretty/v6/table"

	"usher/cmd/internal/adminapi"
)

type licenseList struct {
	folder
	Company string `help:"The company." required:"" placeholder:"NAME"`
}

func (cmd *licenseList) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		licenses, err := c.Licenses(env.ctx, cmd.Company)
		if err != nil {
			return err
		}
		return cmd.print(env, licenses)
	})
}

type licenseSeats struct {
	folder
	Company    string         `help:"The company." required:"" placeholder:"NAME"`
	Seats      map[string]int `arg:"" help:"The license and its number of seats." placeholder:"LICENSE=N"`
	OverAssign bool           `help:"Although more are in use: nobody is evicted, and nobody gets one until that is even."`
}

func (cmd *licenseSeats) Run(env *environment) error {
	return cmd.each(env, cmd.Company, cmd.Seats, func(c *adminapi.Client, ctx context.Context, company, license string, total int) (adminapi.License, error) {
		return c.SetSeats(ctx, company, license, total, cmd.OverAssign)
	})
}

type licenseOverage struct {
	folder
	Company string         `help:"The company." required:"" placeholder:"NAME"`
	Seats   map[string]int `arg:"" help:"The license, and how many seats it may grow to when somebody needs one; 0 for not at all." placeholder:"LICENSE=N"`
}

func (cmd *licenseOverage) Run(env *environment) error {
	return cmd.each(env, cmd.Company, cmd.Seats, (*adminapi.Client).SetCeiling)
}

// each sets a number of each license and shows the pools after it.
func (f folder) each(
	env *environment, company string, numbers map[string]int, set func(*adminapi.Client, context.Context, string, string, int) (adminapi.License, error),
) error {
	return f.with(env, func(c *adminapi.Client) error {
		var after []adminapi.License
		for _, license := range slices.Sorted(maps.Keys(numbers)) {
			l, err := set(c, env.ctx, company, license, numbers[license])
			if err != nil {
				return err
			}
			after = append(after, l)
		}
		return f.print(env, after)
	})
}

// print shows pools.
func (f folder) print(env *environment, licenses []adminapi.License) error {
	return printList(env.stdout, f.JSON, licenses, "There are no paid licenses.",
		table.Row{"license", "seats", "up to", "used", "active", "reserved", "held", "waiting"},
		func(l adminapi.License) table.Row {
			ceiling := ""
			if l.Ceiling > l.Total {
				ceiling = strconv.Itoa(l.Ceiling)
			}
			return table.Row{l.Name, l.Total, ceiling, l.Used, l.Active, l.Reserved, l.Held, l.Waiting}
		})
}
