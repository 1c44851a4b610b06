package licensing

import "fmt"

// Refusal is a change that a rule says no to. Nothing was changed.
type Refusal struct {
	Reason Reason
	Detail string // one sentence for the one who asked, with the names and numbers of the case
}

func (r *Refusal) Error() string { return fmt.Sprintf("%s: %s", r.Reason, r.Detail) }

// refuse makes a Refusal; without a format the reason's own sentence is the detail.
func refuse(reason Reason, format string, args ...any) *Refusal {
	if format == "" {
		return &Refusal{Reason: reason, Detail: reason.Sentence()}
	}
	return &Refusal{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}
