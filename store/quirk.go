package store

import (
	"context"
	"time"
)

// QuirkUse is how often a departure from the standard was tolerated for a connection.
type QuirkUse struct {
	Connection string // id
	Quirk      string
	Count      int64
	First      time.Time // when it was counted first
	Last       time.Time
}

// Quirks keeps what was tolerated. Its numbers are for people: they may be some seconds late, and those of a process that was killed
// are lost for as long.
type Quirks interface {
	// CountQuirks adds the counts of uses to those that are kept. First and Last say since when and until when these were counted.
	CountQuirks(ctx context.Context, company string, uses []QuirkUse) error
	// ListQuirks gives those of a company, by connection and quirk.
	ListQuirks(ctx context.Context, company string) ([]QuirkUse, error)
}
