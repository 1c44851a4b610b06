package scim

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits of requests. Zero means the default.
type Limits struct {
	UserBody   int64         // bytes of a User; 1 MiB
	GroupBody  int64         // bytes of a Group; 16 MiB
	JSONDepth  int           // nesting of a body; 64
	Filter     int           // bytes; 8 KiB
	Depth      int           // nesting of a filter; 32
	Page       int           // resources on a page at most; 1,000
	PageSize   int           // resources on a page unless count says otherwise; 100
	QueryRows  int           // rows that one query may read; 200,000
	QueryTime  time.Duration // that one query may take; 2 s
	AuthHeader int           // bytes of the Authorization header; 4 KiB
	Header     int           // bytes of all header fields; 256 KiB
	// CursorTimeout is how long the cursor of a page is good for; an hour.
	CursorTimeout time.Duration
	// BulkOperations is how many operations one bulk request may have; 1,000. Its body may be as long as that of a Group.
	BulkOperations int
	Rate           float64 // requests a second and connection; 0: no limit
	RateBurst      int     // requests at once; twice the rate
}

func (l Limits) withDefaults() Limits {
	l.UserBody = cmp.Or(l.UserBody, 1<<20)
	l.GroupBody = cmp.Or(l.GroupBody, 16<<20)
	l.JSONDepth = cmp.Or(l.JSONDepth, 64)
	l.Filter = cmp.Or(l.Filter, 8<<10)
	l.Depth = cmp.Or(l.Depth, 32)
	l.Page = cmp.Or(l.Page, 1000)
	l.PageSize = min(cmp.Or(l.PageSize, 100), l.Page)
	l.QueryRows = cmp.Or(l.QueryRows, 200_000)
	l.QueryTime = cmp.Or(l.QueryTime, 2*time.Second)
	l.AuthHeader = cmp.Or(l.AuthHeader, 4<<10)
	l.Header = cmp.Or(l.Header, 256<<10)
	l.CursorTimeout = cmp.Or(l.CursorTimeout, time.Hour)
	l.BulkOperations = cmp.Or(l.BulkOperations, 1000)
	l.RateBurst = cmp.Or(l.RateBurst, int(2*l.Rate)+1)
	return l
}

// mediaType is that of SCIM messages (RFC 7644 section 8.1).
const mediaType = "application/scim+json"

// negotiate settles the media type of the answer and refuses a body that is not JSON (RFC 7644 section 3.8). Clients send all kinds of
// JSON types or none; they are answered in SCIM's own unless they name application/json and not that.
func (x *exchange) negotiate() error {
	x.w.Header().Set("Content-Type", mediaType)
	if fieldBytes(x.r.Header) > x.Limits.Header {
		return &Error{Status: http.StatusRequestHeaderFieldsTooLarge, Detail: fmt.Sprintf("The header fields are longer than %d bytes together.", x.Limits.Header)}
	}
	if accept := strings.ToLower(strings.Join(x.r.Header.Values("Accept"), ",")); strings.Contains(accept, "application/json") && !strings.Contains(accept, mediaType) {
		x.w.Header().Set("Content-Type", "application/json")
	}
	given := x.r.Header.Get("Content-Type")
	if given == "" || x.r.ContentLength == 0 || given == mediaType {
		return nil
	}
	switch kind, _, err := mime.ParseMediaType(given); {
	case (err == nil || errors.Is(err, mime.ErrInvalidMediaParameter)) && (kind == mediaType || kind == "application/json" || kind == "text/json"):
		return nil
	default:
		return &Error{Status: http.StatusUnsupportedMediaType, Detail: fmt.Sprintf("A body of the type %s cannot be read; send %s.", quoted(given), mediaType)}
	}
}

// fieldBytes is about how long header fields are on the wire.
func fieldBytes(h http.Header) int {
	n := 0
	for name, values := range h {
		for _, v := range values {
			n += len(name) + len(v) + len(": \r\n")
		}
	}
	return n
}

// readBody reads a request's body as one JSON object of at most limit bytes.
func (x *exchange) readBody(limit int64) (map[string]any, error) {
	if x.data != nil { // of one operation of a bulk request
		if x.r.ContentLength > limit {
			return nil, tooLong(limit)
		}
		return x.data, nil
	}
	body, err := x.readAll(limit)
	if err != nil {
		return nil, err
	}
	return decodeObject(body, x.Limits.JSONDepth)
}

// readGroup is readBody for a POST or PUT of a group.
func (x *exchange) readGroup() (map[string]any, error) {
	if x.data != nil {
		return x.readBody(x.Limits.GroupBody)
	}
	body, err := x.readAll(x.Limits.GroupBody)
	if err != nil {
		return nil, err
	}
	return decodeGroup(body, x.Limits.JSONDepth)
}

func tooLong(limit int64) error {
	return &Error{Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("The body is longer than %d bytes.", limit)}
}

// readAll reads a request's body of at most limit bytes.
func (x *exchange) readAll(limit int64) ([]byte, error) {
	if x.r.ContentLength > limit {
		return nil, tooLong(limit)
	}
	body := make([]byte, 0, max(x.r.ContentLength, 0)+1)
	body, err := appendAll(body, io.LimitReader(x.r.Body, limit+1))
	if err != nil {
		return nil, &Error{Status: http.StatusBadRequest, ScimType: invalidSyntax, Detail: "The body could not be read to its end.", Cause: err}
	}
	if int64(len(body)) > limit {
		return nil, tooLong(limit)
	}
	return body, nil
}

// appendAll reads to the end.
func appendAll(b []byte, r io.Reader) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}

// limiter counts the requests of each connection.
type limiter struct {
	perSecond rate.Limit
	burst     int
	buckets   *sync.Map // connection -> *rate.Limiter
}

func newLimiter(perSecond float64, burst int) limiter {
	return limiter{perSecond: rate.Limit(perSecond), burst: burst, buckets: &sync.Map{}}
}

// wait says for how long a connection is to wait before n of its requests may be served; 0: they may be served now. More than may come at
// once count as so many.
func (l limiter) wait(connection string, now time.Time, n int) time.Duration {
	if n = min(n, l.burst); l.perSecond <= 0 || n <= 0 {
		return 0
	}
	bucket, ok := l.buckets.Load(connection)
	if !ok {
		bucket, _ = l.buckets.LoadOrStore(connection, rate.NewLimiter(l.perSecond, l.burst))
	}
	reservation := bucket.(*rate.Limiter).ReserveN(now, n)
	delay := reservation.DelayFrom(now)
	if delay > 0 {
		reservation.CancelAt(now)
	}
	return delay
}
