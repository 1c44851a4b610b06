package cli

import (
	"errors"
	"fmt"
	"io"

	"usher/cmd/internal/adminapi"
)

// doctorCommand looks for what is wrong in a store.
type doctorCommand struct {
	folder
}

func (cmd *doctorCommand) Run(env *environment) error {
	return cmd.with(env, func(c *adminapi.Client) error {
		seen, err := c.Examine(env.ctx)
		if err != nil {
			return err
		}
		if cmd.JSON {
			err = printJSON(env.stdout, seen)
		} else {
			err = printExamination(env.stdout, seen)
		}
		switch n := seen.Wrong(); {
		case err != nil:
			return err
		case n == 1:
			return errors.New("1 thing is not as it should be; it is listed above with what to do about it")
		case n > 1:
			return fmt.Errorf("%d things are not as they should be; they are listed above with what to do about them", n)
		}
		return nil
	})
}

// printExamination prints one line for each company and each finding.
func printExamination(w io.Writer, seen adminapi.Examination) error {
	for _, c := range seen.Companies {
		if _, err := fmt.Fprintf(w, "%s: %d accounts, %d groups, %d events\n", c.Name, c.Accounts, c.Groups, c.Events); err != nil {
			return err
		}
	}
	for _, f := range seen.Findings {
		kind, company := "wrong", ""
		if f.Note {
			kind = "note"
		}
		if f.Company != "" {
			company = f.Company + ": "
		}
		if _, err := fmt.Fprintf(w, "%s: %s%s: %s\n", kind, company, f.Check, f.Text); err != nil {
			return err
		}
	}
	if seen.Wrong() > 0 {
		return nil
	}
	_, err := fmt.Fprintln(w, "Nothing is wrong.")
	return err
}
