package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/mattn/go-isatty"
	"github.com/schollz/progressbar/v3"

	"usher/cmd/internal/migrate"
	"usher/scim/schema"
)

// migrateCommand copies a store to another one.
type migrateCommand struct {
	From   string `help:"The store to copy: sqlite:///FOLDER or mongodb://HOST/DATABASE." required:"" env:"USHER_MIGRATE_FROM" placeholder:"STORE"`
	To     string `help:"The store to make. It must be empty, or the same copy, unfinished." required:"" env:"USHER_MIGRATE_TO" placeholder:"STORE"`
	Verify bool   `help:"Copy nothing; only compare the two, record by record."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

func (cmd *migrateCommand) Run(env *environment) error {
	registry, err := schema.NewRegistry()
	if err != nil {
		return fmt.Errorf("schemas: %w", err)
	}
	shown := newMigration(env.stderr)
	report, err := migrate.Run(env.ctx, migrate.Config{
		From: cmd.From, To: cmd.To, VerifyOnly: cmd.Verify, Indexes: registry.UserIndexes(), Progress: shown.progress,
		Logger: slog.New(slog.NewJSONHandler(env.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	shown.end()
	switch {
	case errors.Is(err, context.Canceled) && !cmd.Verify:
		return fmt.Errorf("interrupted: the same command goes on where it was, and until then %s is not complete", report.To)
	case err != nil:
		return err
	case cmd.JSON:
		return printJSON(env.stdout, report)
	}
	return cmd.print(env.stdout, report)
}

func (cmd *migrateCommand) print(w io.Writer, report migrate.Report) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"kind", "records"})
	all := int64(0)
	for _, k := range report.Kinds {
		if k.Records > 0 {
			t.AppendRow(table.Row{k.Kind, k.Records})
		}
		all += k.Records
	}
	t.AppendFooter(table.Row{"all", all})
	if _, err := fmt.Fprintln(w, t.Render()); err != nil {
		return err
	}
	if cmd.Verify {
		_, err := fmt.Fprintf(w, "Both stores have the same records.\n")
		return err
	}
	_, err := fmt.Fprintf(w, "%d records copied, and every record is the same in %s and %s.\n%s\n", report.Copied, report.From, report.To, strings.Join(report.Next, "\n"))
	return err
}

// migration shows how far it is: as a bar on a terminal, and now and then by a line elsewhere.
type migration struct {
	w        io.Writer
	terminal bool
	bar      *progressbar.ProgressBar
	last     migrate.Progress // that was shown
}

func newMigration(w io.Writer) *migration {
	f, ok := w.(*os.File)
	return &migration{w: w, terminal: ok && isatty.IsTerminal(f.Fd())}
}

func (m *migration) progress(p migrate.Progress) {
	const linesAStep = 20
	what := map[migrate.Step]string{migrate.StepCopy: "copied", migrate.StepVerify: "compared"}[p.Step]
	if !m.terminal {
		if p.Step != m.last.Step || p.Done >= p.All || p.Done-m.last.Done > p.All/linesAStep {
			fmt.Fprintf(m.w, "[%d/%d] %s\n", p.Done, p.All, what)
			m.last = p
		}
		return
	}
	if p.Step != m.last.Step {
		m.end()
		m.bar = progressbar.NewOptions64(p.All, progressbar.OptionSetWriter(m.w), progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(),
			progressbar.OptionSetWidth(20))
	}
	m.last = p
	m.bar.Describe(fmt.Sprintf("%s: %s", what, p.Kind))
	_ = m.bar.Set64(min(p.Done, p.All)) // an error means that the terminal is gone
}

// end takes the bar away.
func (m *migration) end() {
	if m.bar != nil {
		_ = m.bar.Finish()
	}
}
