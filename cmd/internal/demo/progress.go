package demo

import (
	"fmt"
	"io"
	"os"

	"github.com/mattn/go-isatty"
	"github.com/schollz/progressbar/v3"
)

// progress shows how far the sync has come.
type progress interface {
	begin(what string) // the next step begins
	note(text string)  // something worth telling
	end()
}

// newProgress shows a bar on a terminal and lines elsewhere.
func newProgress(w io.Writer, steps int) progress {
	if f, ok := w.(*os.File); ok && isatty.IsTerminal(f.Fd()) {
		return &bar{w: w, bar: progressbar.NewOptions(steps, progressbar.OptionSetWriter(w), progressbar.OptionShowCount(),
			progressbar.OptionSetElapsedTime(false), progressbar.OptionSetPredictTime(false), progressbar.OptionSetWidth(20),
			progressbar.OptionClearOnFinish())}
	}
	return &lines{w: w, steps: steps}
}

// bar is for terminals. What there is to tell comes when the bar is gone.
type bar struct {
	w     io.Writer
	bar   *progressbar.ProgressBar
	notes []string
}

func (b *bar) begin(what string) {
	b.bar.Describe(what)
	// An error here means that the terminal is gone, which does not concern the server.
	_ = b.bar.Add(1)
}

func (b *bar) note(text string) { b.notes = append(b.notes, text) }

func (b *bar) end() {
	_ = b.bar.Finish()
	for _, text := range b.notes {
		fmt.Fprintln(b.w, text)
	}
}

// lines is for everything else.
type lines struct {
	w           io.Writer
	steps, done int
}

func (l *lines) begin(what string) {
	l.done++
	fmt.Fprintf(l.w, "[%d/%d] %s\n", l.done, l.steps, what)
}

func (l *lines) note(text string) { fmt.Fprintln(l.w, text) }

func (l *lines) end() {}
