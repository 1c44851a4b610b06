package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
)

// printJSON prints a value as indented JSON.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// printList prints items as JSON or, one row each, as a table; none is a sentence when there are none.
func printList[T any](w io.Writer, asJSON bool, items []T, none string, header table.Row, row func(T) table.Row) error {
	if asJSON {
		return printJSON(w, items)
	}
	if len(items) == 0 {
		_, err := fmt.Fprintln(w, none)
		return err
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(header)
	for _, item := range items {
		t.AppendRow(row(item))
	}
	_, err := fmt.Fprintln(w, t.Render())
	return err
}

// day shows a time; never for none.
func day(t time.Time, never string) string {
	if t.IsZero() {
		return never
	}
	return t.Format(time.DateOnly)
}
