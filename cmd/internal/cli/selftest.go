package cli

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mattn/go-isatty"
	"github.com/schollz/progressbar/v3"

	"usher/scim/scimtest"
)

// selftest checks any SCIM server by the numbered requirements of the standards.
type selftest struct {
	Base    string   `help:"The address of the SCIM endpoint." required:"" placeholder:"https://HOST/scim/v2"`
	Token   string   `help:"A bearer token that may read and write users and groups." required:"" env:"USHER_SELFTEST_TOKEN"`
	Other   string   `help:"A token of another tenant, to see that nothing crosses." placeholder:"TOKEN"`
	Only    []string `help:"Check these requirements only; may be given several times." placeholder:"R117"`
	Verbose bool     `help:"Show those that passed, too, and those that do not apply with the reason."`
	JSON    bool     `name:"json" help:"Print JSON."`
}

func (cmd *selftest) Run(env *environment) error {
	report, err := scimtest.Run(env.ctx, scimtest.Config{
		Base: cmd.Base, Token: cmd.Token, Other: cmd.Other, Only: cmd.Only,
		Progress: progress(env.stderr),
	})
	if err != nil {
		return err
	}
	failed := report.Count(scimtest.Failed)
	if cmd.JSON {
		if err := printJSON(env.stdout, report); err != nil {
			return err
		}
	} else {
		cmd.print(env, report)
	}
	if failed > 0 {
		return fmt.Errorf("the server does not meet %d requirements", failed)
	}
	return nil
}

// progress shows a bar on a terminal, and now and then a line elsewhere.
func progress(w io.Writer) func(done, all int, r scimtest.Result) {
	var bar *progressbar.ProgressBar
	f, ok := w.(*os.File)
	terminal := ok && isatty.IsTerminal(f.Fd())
	return func(done, all int, r scimtest.Result) {
		const lineEvery = 50
		switch {
		case terminal && bar == nil:
			bar = progressbar.NewOptions(all, progressbar.OptionSetWriter(w), progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(),
				progressbar.OptionSetElapsedTime(false), progressbar.OptionSetPredictTime(false), progressbar.OptionSetWidth(20))
			fallthrough
		case terminal:
			bar.Describe(r.ID)
			_ = bar.Set(done) // an error means that the terminal is gone
		case done%lineEvery == 0 || done == all:
			fmt.Fprintf(w, "[%d/%d] checked\n", done, all)
		}
	}
}

func (cmd *selftest) print(env *environment, report scimtest.Report) {
	for _, r := range report.Results {
		if r.Outcome != scimtest.Failed && !cmd.Verbose {
			continue
		}
		fmt.Fprintf(env.stdout, "%s %-14s [%s] (%s) %s\n", r.ID, r.Outcome, r.Level, r.Source, r.Title)
		if r.Detail != "" {
			fmt.Fprintf(env.stdout, "    %s\n", r.Detail)
		}
		fmt.Fprint(env.stdout, scimtest.Transcript(r.Exchanges))
	}
	fmt.Fprintln(env.stdout, strings.Join([]string{
		fmt.Sprintf("%d passed", report.Count(scimtest.Passed)), fmt.Sprintf("%d failed", report.Count(scimtest.Failed)),
		fmt.Sprintf("%d not applicable", report.Count(scimtest.NotApplicable)),
	}, ", "))
}
