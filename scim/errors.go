package scim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"usher/licensing"
	"usher/scim/filter"
	"usher/store"
)

// Error is an answer that refuses a request (RFC 7644 section 3.12). Detail is one sentence for the sender; Cause is for the log only.
type Error struct {
	Status     int
	ScimType   string // empty where the RFC gives none
	Detail     string
	Cause      error
	RetryAfter int // seconds; 0: not said
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%d %s: %s: %v", e.Status, e.ScimType, e.Detail, e.Cause)
	}
	return fmt.Sprintf("%d %s: %s", e.Status, e.ScimType, e.Detail)
}

func (e *Error) Unwrap() error { return e.Cause }

// The scimType values of RFC 7644 table 9.
const (
	invalidFilter = "invalidFilter"
	tooMany       = "tooMany"
	uniqueness    = "uniqueness"
	mutability    = "mutability"
	invalidSyntax = "invalidSyntax"
	invalidPath   = "invalidPath"
	noTarget      = "noTarget"
	invalidValue  = "invalidValue"
)

// badRequest makes a 400 with the scimType and a sentence that names what is wrong.
func badRequest(scimType, format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, ScimType: scimType, Detail: fmt.Sprintf(format, args...)}
}

// wireError is the one place where the errors of the other packages become answers. about names the resource of the request.
func wireError(err error, about string) *Error {
	var wire *Error
	var bad *filter.Error
	var refusal *licensing.Refusal
	var conflict *store.ConflictError
	var unknown *store.UnknownMemberError
	var circle *store.CycleError
	switch {
	case errors.Is(err, store.ErrUnavailable): // whatever else the error says: nothing is known
		return &Error{Status: http.StatusServiceUnavailable, Detail: "The server cannot reach its database at the moment; try again.", Cause: err, RetryAfter: unavailableRetry}
	case errors.As(err, &wire):
		return wire
	case errors.As(err, &bad):
		return badRequest(invalidFilter, "The filter is not valid: %s.", bad.Detail)
	case errors.As(err, &refusal) && refusal.Reason == licensing.TooManyLosses:
		// An admin decides, which takes a while; till then the client is to keep what it wants and ask again.
		return &Error{Status: http.StatusServiceUnavailable, Detail: refused(refusal), Cause: err, RetryAfter: lossesRetry}
	case errors.As(err, &refusal):
		return &Error{Status: http.StatusForbidden, Detail: refused(refusal), Cause: err}
	case errors.As(err, &conflict):
		return &Error{Status: http.StatusConflict, ScimType: uniqueness, Detail: conflictDetail(conflict), Cause: err}
	case errors.As(err, &unknown):
		return badRequest(invalidValue, "members: there is no user and no group with the id %s.", quoted(unknown.ID))
	case errors.As(err, &circle):
		return badRequest(invalidValue, "members: the group %s cannot be a member of the group %s, which is in it.", quoted(circle.Member), quoted(circle.Group))
	case errors.Is(err, store.ErrNotFound):
		return &Error{Status: http.StatusNotFound, Detail: fmt.Sprintf("There is no %s.", about), Cause: err}
	case errors.Is(err, store.ErrTooMany):
		return badRequest(tooMany, "The filter matches or has to look at too many resources; narrow it down, for example by userName, externalId or emails.value, or ask for a smaller page.")
	case errors.Is(err, store.ErrVersion):
		return &Error{Status: http.StatusServiceUnavailable, Detail: "The resource is being changed by others at the moment; try again.", Cause: err, RetryAfter: 1}
	case errors.Is(err, store.ErrBusy), errors.Is(err, store.ErrClosed), errors.Is(err, context.Canceled):
		return &Error{Status: http.StatusServiceUnavailable, Detail: "The server is busy; try again.", Cause: err, RetryAfter: 1}
	case errors.Is(err, context.DeadlineExceeded):
		return badRequest(tooMany, "The query takes too long; narrow it down, for example by userName, externalId or emails.value.")
	}
	return &Error{Status: http.StatusInternalServerError, Detail: "The server failed to carry out the request.", Cause: err}
}

// lossesRetry is after how many seconds a client may ask again for what the guard against mass losses has stopped.
const lossesRetry = 300

// unavailableRetry is after how many seconds a client may ask again when the store could not be reached: databases that fail over take some.
const unavailableRetry = 5

// refused says what a rule has refused, and the rule's name.
func refused(r *licensing.Refusal) string { return fmt.Sprintf("%s (%s)", r.Detail, r.Reason) }

// conflictDetail says which attribute has a value that is taken.
func conflictDetail(c *store.ConflictError) string {
	attribute := map[string]string{"UserName": "userName", "Group.Name": "displayName", "Extension": extensionNumber}[c.Field]
	if attribute == "" {
		attribute = c.Field
	}
	return fmt.Sprintf("%s: the value %s is already in use.", attribute, quoted(c.Value))
}

// writeError sends an error as RFC 7644 section 3.12 has it. request is the id under which the log has more.
func writeError(w http.ResponseWriter, e *Error, request string) {
	detail := e.Detail
	if e.Status == http.StatusInternalServerError {
		detail += " Request id: " + request + "."
	}
	body, err := json.Marshal(struct {
		Schemas  []string `json:"schemas"`
		Status   string   `json:"status"`
		ScimType string   `json:"scimType,omitempty"`
		Detail   string   `json:"detail"`
	}{[]string{errorURN}, strconv.Itoa(e.Status), e.ScimType, detail})
	if err != nil { // strings always marshal
		panic(err)
	}
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(e.RetryAfter))
	}
	send(w, e.Status, body)
}
