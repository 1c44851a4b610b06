package scim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// URNs of bulk messages.
const (
	bulkRequestURN  = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
	bulkResponseURN = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
)

// bulkRequest is a request for many operations (RFC 7644 section 3.7).
type bulkRequest struct {
	failOnErrors int // 0: never
	operations   []*bulkOperation
}

// bulkOperation is one operation of a bulk request. What it is to write is decoded only when it is its turn: the trees of all operations
// together would be many times as large as the body.
type bulkOperation struct {
	place   int             // in the request, from 1
	raw     json.RawMessage // the operation, a part of the body
	method  string
	path    string
	bulkID  string
	ifMatch string
	refs    []string // the bulkIds that the path and the data refer to, each once

	// What came of it; status 0: it was not processed.
	status   int
	location string
	version  string
	response []byte // of one that failed
	id       string // of what it created
	returned bool   // what it created was there before and came back
}

func (o *bulkOperation) failed() bool { return o.status >= 300 }

// bulk answers a bulk request.
func (x *exchange) bulk() error {
	if x.r.Method != http.MethodPost {
		return x.methodNotAllowed(http.MethodPost)
	}
	body, err := x.readAll(x.Limits.GroupBody)
	if err != nil {
		return err
	}
	request, err := x.parseBulk(body)
	if err != nil {
		return err
	}
	if err := x.throttle(len(request.operations) - 1); err != nil { // the request itself was counted
		return err
	}
	job := bulkJob{x: x, request: request, byID: map[string]*bulkOperation{}, state: map[*bulkOperation]bulkState{}}
	job.run()
	x.bulkSize, x.bulkErrors = len(request.operations), job.errors
	return x.reply(http.StatusOK, renderBulk(request))
}

// parseBulk reads the body down to the operations. The error is an *Error; what is wrong with one operation is said in its own answer.
func (x *exchange) parseBulk(body []byte) (*bulkRequest, error) {
	in := jsontext.NewDecoder(bytes.NewBuffer(body))
	if in.PeekKind() != jsontext.KindBeginObject {
		if _, err := in.ReadValue(); err != nil {
			return nil, malformed(err)
		}
		return nil, badRequest(invalidSyntax, "The body must be a JSON object.")
	}
	if _, err := in.ReadToken(); err != nil {
		return nil, malformed(err)
	}
	envelope := map[string]any{}
	var names []string
	request := &bulkRequest{}
	given := false
	for in.PeekKind() != jsontext.KindEndObject {
		token, err := in.ReadToken()
		if err != nil {
			return nil, malformed(err)
		}
		name := token.String()
		names = append(names, name)
		if strings.EqualFold(name, "Operations") {
			if given = true; in.PeekKind() != jsontext.KindBeginArray {
				return nil, badRequest(invalidSyntax, "Operations must be a list.")
			}
			if err := x.bulkOperations(in, body, request); err != nil {
				return nil, err
			}
			continue
		}
		d := decoder{in: in, maxDepth: x.Limits.JSONDepth, room: valuesForAny}
		if envelope[name], err = d.value(); err != nil {
			return nil, malformed(err)
		}
	}
	if _, err := in.ReadToken(); err != nil {
		return nil, malformed(err)
	}
	if _, err := in.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, badRequest(invalidSyntax, "The body has more than one JSON value.")
	}
	if a, b, found := equalFolded(names); found {
		return nil, badRequest(invalidSyntax, "The body has an object with the members %s and %s; names are compared without case.", quoted(a), quoted(b))
	}
	if !given || len(request.operations) == 0 {
		return nil, badRequest(invalidSyntax, "Operations must be a list of at least one operation.")
	}
	listed, err := schemasOf(envelope, x.quirks)
	if err != nil {
		return nil, err
	}
	if listed != nil && !containsFold(listed, bulkRequestURN) && !x.quirks.unknownSchemas() {
		return nil, badRequest(invalidSyntax, "The schemas must hold %q.", bulkRequestURN)
	}
	request.failOnErrors, err = failOnErrors(envelope)
	return request, err
}

func failOnErrors(envelope map[string]any) (int, error) {
	value, _ := member(envelope, "failOnErrors")
	if value == nil {
		return 0, nil
	}
	number, ok := value.(json.Number)
	n, err := strconv.Atoi(number.String())
	if !ok || err != nil || n < 0 {
		return 0, badRequest(invalidValue, "failOnErrors must be a whole number of at least 1, not %s.", shown(value))
	}
	return n, nil
}

// bulkOperations notes where in the body each operation is. That there are too many is found out before anything is done.
func (x *exchange) bulkOperations(in *jsontext.Decoder, body []byte, request *bulkRequest) error {
	if _, err := in.ReadToken(); err != nil {
		return malformed(err)
	}
	for in.PeekKind() != jsontext.KindEndArray {
		if len(request.operations) == x.Limits.BulkOperations {
			return &Error{Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("A bulk request may have %d operations at most (maxOperations).", x.Limits.BulkOperations)}
		}
		value, err := in.ReadValue()
		if err != nil {
			return malformed(err)
		}
		end := int(in.InputOffset())
		request.operations = append(request.operations, &bulkOperation{place: len(request.operations) + 1, raw: body[end-len(value) : end : end]})
	}
	_, err := in.ReadToken()
	return err
}

// read decodes an operation, checks what belongs to the bulk and fills in what it says; the data is returned. The error is an *Error.
func (o *bulkOperation) read(maxDepth int) (data any, err error) {
	object, err := decodeObject(o.raw, maxDepth)
	if err != nil {
		return nil, err
	}
	text := func(name string) string {
		value, _ := member(object, name)
		s, ok := value.(string)
		if value != nil && !ok && err == nil {
			err = badRequest(invalidSyntax, "%s must be a string, not %s.", name, shown(value))
		}
		return s
	}
	o.method, o.path, o.bulkID, o.ifMatch = text("method"), text("path"), text("bulkId"), text("version")
	if err != nil {
		return nil, err
	}
	data, given := member(object, "data")
	switch o.method {
	case http.MethodPost:
		if o.bulkID == "" {
			return nil, badRequest(invalidValue, "An operation with the method POST needs a bulkId.")
		}
	case http.MethodPut, http.MethodPatch, http.MethodDelete:
	case "":
		return nil, badRequest(invalidSyntax, "An operation needs a method: POST, PUT, PATCH or DELETE.")
	default:
		return nil, badRequest(invalidSyntax, "The method must be POST, PUT, PATCH or DELETE, not %s.", quoted(o.method))
	}
	if _, isObject := data.(map[string]any); !isObject && o.method != http.MethodDelete {
		if !given || data == nil {
			return nil, badRequest(invalidValue, "An operation with the method %s needs data.", o.method)
		}
		return nil, badRequest(invalidSyntax, "The data of an operation must be an object, not %s.", shown(data))
	}
	return data, o.checkPath()
}

// checkPath refuses paths of anything but resources.
func (o *bulkOperation) checkPath() error {
	parts := segments(o.path)
	switch {
	case o.path == "":
		return badRequest(invalidSyntax, "An operation needs a path, such as /Users.")
	case strings.ContainsAny(o.path, "?#"):
		return badRequest(invalidSyntax, "The path %s may not have a query.", quoted(o.path))
	case len(parts) == 0 || len(parts) > 2 || !slices.Contains([]string{"Users", "Groups", "Licenses"}, parts[0]) || parts[len(parts)-1] == searchPath:
		return badRequest(invalidSyntax, "The path of an operation must be of a resource type or a resource, such as /Users, not %s.", quoted(o.path))
	case (len(parts) == 1) != (o.method == http.MethodPost):
		return badRequest(invalidSyntax, "The path %s is not one for the method %s.", quoted(o.path), o.method)
	}
	return nil
}

// renderBulk makes the answer: the operations that were processed, in the order of the request.
func renderBulk(request *bulkRequest) []byte {
	b := append(make([]byte, 0, 256*len(request.operations)), `{"schemas":["`+bulkResponseURN+`"],"Operations":[`...)
	for _, o := range request.operations {
		if o.status == 0 {
			continue
		}
		b = append(nextInList(b), `{"method":`...)
		b = appendString(b, o.method)
		for _, part := range []struct{ name, value string }{{"bulkId", o.bulkID}, {"location", o.location}, {"version", o.version}} {
			if part.value != "" {
				b = append(b, `,"`...)
				b = append(b, part.name...)
				b = append(b, `":`...)
				b = appendString(b, part.value)
			}
		}
		b = append(b, `,"status":"`...)
		b = strconv.AppendInt(b, int64(o.status), 10)
		b = append(b, '"')
		if len(o.response) > 0 {
			b = append(b, `,"response":`...)
			b = append(b, o.response...)
		}
		b = append(b, '}')
	}
	return closeList(b)
}
