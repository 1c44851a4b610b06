package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"usher/cmd/internal/adminapi"
	"usher/scim/schema"
)

type schemaAdd struct {
	folder
	Company string `help:"The company." required:"" placeholder:"NAME"`
	Type    string `help:"The resource type that the schema extends: ${enum}." enum:"User,Group" default:"User"`
	File    string `arg:"" help:"The schema as JSON, as RFC 7643 section 7 has it." type:"path"`
}

func (cmd *schemaAdd) Run(env *environment) error {
	document, err := readSchema(cmd.File)
	if err != nil {
		return err
	}
	return cmd.with(env, func(c *adminapi.Client) error {
		made, err := c.PutSchema(env.ctx, cmd.Company, cmd.Type, document)
		if err != nil {
			return err
		}
		if cmd.JSON {
			return printJSON(env.stdout, made)
		}
		fmt.Fprintf(env.stdout, "%ss of the company can have the %d attributes of %s.\n", made.Type, made.Attributes, made.URN)
		return nil
	})
}

// readSchema reads a file that must be JSON; what is in it is for the server to judge.
func readSchema(file string) (json.RawMessage, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read the schema: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, schema.MaxDeclaredBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot read the schema: %w", err)
	case len(text) > schema.MaxDeclaredBytes:
		return nil, fmt.Errorf("the schema in %s is longer than %d bytes", file, schema.MaxDeclaredBytes)
	case !json.Valid(text):
		return nil, fmt.Errorf("%s is not JSON", file)
	}
	return text, nil
}

type schemaList struct {
	folder
	Company string `help:"The company." required:"" placeholder:"NAME"`
}

func (cmd *schemaList) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		schemas, err := c.Schemas(env.ctx, cmd.Company)
		if err != nil {
			return err
		}
		return printList(env.stdout, cmd.JSON, schemas, "The company has declared no schemas.",
			table.Row{"urn", "extends", "name", "attributes", "since"},
			func(s adminapi.Schema) table.Row {
				return table.Row{s.URN, s.Type, s.Name, s.Attributes, day(s.Created, "")}
			})
	})
}

type schemaShow struct {
	folder
	Company string `help:"The company." required:"" placeholder:"NAME"`
	URN     string `arg:"" name:"urn" help:"The schema's URN."`
}

func (cmd *schemaShow) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		schemas, err := c.Schemas(env.ctx, cmd.Company)
		if err != nil {
			return err
		}
		for _, s := range schemas {
			if strings.EqualFold(s.URN, cmd.URN) {
				return printJSON(env.stdout, s.Document)
			}
		}
		return fmt.Errorf("the company has no schema %q; \"usher schema list\" shows those it has", cmd.URN)
	})
}

type schemaRemove struct {
	folder
	Company string `help:"The company." required:"" placeholder:"NAME"`
	URN     string `arg:"" name:"urn" help:"The schema's URN."`
}

func (cmd *schemaRemove) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		if err := c.RemoveSchema(env.ctx, cmd.Company, cmd.URN); err != nil {
			return err
		}
		if cmd.JSON {
			return printJSON(env.stdout, map[string]string{"removed": cmd.URN})
		}
		fmt.Fprintln(env.stdout, "The schema is gone; nobody had values of it.")
		return nil
	})
}
