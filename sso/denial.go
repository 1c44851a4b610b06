package sso

import (
	"errors"

	"usher/licensing"
)

// denial is why a sign-in lets nobody in. It is also the error of whatever finds that out.
type denial struct {
	reason licensing.Reason
	kind   string // which one, where there are several of the reason
	detail string // for admins; may quote what others say, cut short
	err    error  // for the log
}

// Code is how the denial is written: the reason, and the kind behind a dot.
func (d *denial) code() string {
	if d.kind == "" {
		return string(d.reason)
	}
	return string(d.reason) + "." + d.kind
}

func (d *denial) Error() string {
	text := d.code()
	if d.detail != "" {
		text += ": " + d.detail
	}
	return text
}

func (d *denial) Unwrap() error { return d.err }

// deny makes a denial for a reason that says all there is to say.
func deny(reason licensing.Reason) *denial { return &denial{reason: reason} }

// denialOf gives the denial that an error is, or one without a reason for an error that is none.
func denialOf(err error) *denial {
	var d *denial
	if errors.As(err, &d) {
		return d
	}
	var refusal *licensing.Refusal
	if errors.As(err, &refusal) {
		return &denial{reason: refusal.Reason, err: err}
	}
	return &denial{err: err}
}

// invalid makes a denial for an ID token that cannot be trusted.
func invalid(kind, detail string) *denial {
	return &denial{reason: licensing.IdPTokenInvalid, kind: kind, detail: detail}
}
