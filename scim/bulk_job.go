package scim

import (
	"bytes"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// bulkJob carries out a bulk request. The operations run one after the other in the order of the request, but for one that another
// refers to: that runs before it (RFC 7644 section 3.7.2). Where creations refer to each other in a circle, one of them is created
// without the reference and completed when the others are there (section 3.7.1).
type bulkJob struct {
	x       *exchange
	request *bulkRequest
	byID    map[string]*bulkOperation // creations by their bulkId
	state   map[*bulkOperation]bulkState
	errors  int

	running   []*bulkOperation // those that wait for what they refer to, the innermost last
	partial   []partialCreation
	completed []partialCreation // that have all their references by now
}

type bulkState uint8

const (
	bulkWaiting bulkState = iota
	bulkRunning
	bulkDone
)

// partialCreation is a resource that was created without some references, and the operations that are in a circle with it.
type partialCreation struct {
	o      *bulkOperation
	circle []*bulkOperation
}

// run processes the operations until there are no more or too many have failed.
func (j *bulkJob) run() {
	for _, o := range j.request.operations {
		j.prepare(o)
	}
	for _, o := range j.request.operations {
		if j.stopped() {
			break
		}
		j.process(o)
	}
	for _, p := range j.partial { // of circles that were not come to the end of
		j.undo(p, unresolved(p.o.bulkID, "is in a circle of which not all could be created"))
	}
}

func (j *bulkJob) stopped() bool {
	return j.request.failOnErrors > 0 && j.errors >= j.request.failOnErrors || j.x.ctx.Err() != nil
}

// prepare reads what an operation is and what it refers to. One that cannot be read fails when it is its turn.
func (j *bulkJob) prepare(o *bulkOperation) {
	data, err := o.read(j.x.Limits.JSONDepth)
	if err != nil {
		return
	}
	if id, ok := bulkReference(segments(o.path)); ok {
		o.refs = append(o.refs, id)
	}
	o.refs = appendReferences(o.refs, data)
	slices.Sort(o.refs)
	o.refs = slices.Compact(o.refs)
	if o.method == http.MethodPost && j.byID[o.bulkID] == nil {
		j.byID[o.bulkID] = o
	}
}

// process runs an operation and, before it, those that it refers to.
func (j *bulkJob) process(o *bulkOperation) {
	if j.state[o] != bulkWaiting {
		return
	}
	j.state[o] = bulkRunning
	j.running = append(j.running, o)
	var open []string // references that wait for this very operation
	for _, id := range o.refs {
		of := j.byID[id]
		if of == nil {
			continue
		}
		if j.process(of); j.state[of] == bulkRunning {
			open = append(open, id)
		}
		if j.stopped() && of.status == 0 {
			break
		}
	}
	j.running = j.running[:len(j.running)-1]
	if j.stopped() {
		j.state[o] = bulkDone
		return
	}
	j.perform(o, open)
	j.state[o] = bulkDone
	j.complete(o)
}

// perform carries an operation out. open are the references that cannot be resolved yet: what holds them is left out.
func (j *bulkJob) perform(o *bulkOperation, open []string) {
	data, err := o.read(j.x.Limits.JSONDepth)
	if err == nil {
		err = j.referencesOf(o, open)
	}
	if err != nil {
		j.fail(o, err)
		return
	}
	object, _ := data.(map[string]any)
	if len(open) > 0 {
		if o.method != http.MethodPost {
			j.fail(o, unresolved(open[0], "is in a circle that cannot be resolved"))
			return
		}
		object, _ = pruned(object, open).(map[string]any)
	}
	path, resolved := j.resolvePath(o.path), j.resolve(object)
	object, _ = resolved.(map[string]any)
	j.answer(o, path, object)
	if o.status == http.StatusCreated {
		o.id = o.location[strings.LastIndexByte(o.location, '/')+1:]
		if len(open) > 0 {
			circle := []*bulkOperation{o}
			if at := slices.IndexFunc(j.running, func(r *bulkOperation) bool { return slices.Contains(open, r.bulkID) }); at >= 0 {
				circle = append(circle, j.running[at:]...)
			}
			j.partial = append(j.partial, partialCreation{o, circle})
		}
	}
}

// referencesOf fails when something that the operation refers to is not there.
func (j *bulkJob) referencesOf(o *bulkOperation, open []string) error {
	if o.method == http.MethodPost && j.byID[o.bulkID] != o {
		return badRequest(invalidValue, "Another operation has the bulkId %s.", quoted(o.bulkID))
	}
	for _, id := range o.refs {
		of := j.byID[id]
		switch {
		case slices.Contains(open, id):
		case of == nil:
			return unresolved(id, "is that of no operation that creates something")
		case of.id == "":
			return unresolved(id, "is that of an operation that failed")
		}
	}
	return nil
}

// unresolved refuses an operation because of a reference (RFC 7644 section 3.7.1).
func unresolved(id, why string) error {
	return &Error{Status: http.StatusConflict, Detail: "The bulkId " + quoted(id) + " " + why + "."}
}

// complete adds the references that were left out of creations when the last resource of their circle is there.
func (j *bulkJob) complete(o *bulkOperation) {
	j.partial = slices.DeleteFunc(j.partial, func(p partialCreation) bool {
		if slices.ContainsFunc(p.circle, func(of *bulkOperation) bool { return j.state[of] != bulkDone }) {
			return false
		}
		if i := slices.IndexFunc(p.circle, (*bulkOperation).failed); i >= 0 {
			j.undo(p, unresolved(p.circle[i].bulkID, "is that of an operation that failed"))
			return true
		}
		data, err := p.o.read(j.x.Limits.JSONDepth)
		if err == nil {
			done := *p.o
			done.method = http.MethodPut
			object, _ := j.resolve(data).(map[string]any)
			j.try(&done, p.o.path+"/"+p.o.id, object)
			if p.o.version = done.version; !done.failed() {
				j.completed = append(j.completed, p)
				return true
			}
			err = unresolved(p.o.bulkID, "is in a circle that cannot be resolved")
		}
		j.undo(p, err)
		return true
	})
}

// undo takes the creations of a circle back that cannot be completed, and with them those of the circles that it touches: none of them
// was done. Whoever was there before the request and came back by it stays, without the references.
func (j *bulkJob) undo(p partialCreation, cause error) {
	for _, o := range p.circle {
		if o.id == "" {
			continue
		}
		if !o.returned {
			gone := bulkOperation{method: http.MethodDelete}
			j.try(&gone, o.path+"/"+o.id, nil)
		}
		o.id, o.location, o.version = "", "", ""
		j.fail(o, cause)
		for _, q := range j.completed {
			if q.o.id != "" && slices.Contains(q.circle, o) {
				j.undo(q, unresolved(o.bulkID, "is that of an operation that failed"))
			}
		}
	}
}

// answer carries out a request like one that came by itself, and notes how it ended.
func (j *bulkJob) answer(o *bulkOperation, path string, data map[string]any) {
	j.try(o, path, data)
	if o.failed() {
		j.errors++
	}
}

func (j *bulkJob) try(o *bulkOperation, path string, data map[string]any) {
	w := &recorder{header: http.Header{}}
	r := (&http.Request{
		Method: o.method, URL: &url.URL{Path: path}, Header: http.Header{}, Body: http.NoBody, ContentLength: int64(len(o.raw)),
	}).WithContext(j.x.ctx)
	if o.ifMatch != "" {
		r.Header.Set("If-Match", o.ifMatch)
	}
	inner := &exchange{
		Handler: j.x.Handler, w: w, r: r, ctx: j.x.ctx, id: j.x.id + "." + strconv.Itoa(o.place), who: j.x.who, types: j.x.types, docs: j.x.docs,
		quirks: newQuirks(j.x.who.QuirksOff, j.x.who.Strict), route: "other", about: "such resource", data: data,
	}
	if err := inner.guarded(func() error { return inner.dispatch(segments(path)) }); err != nil {
		wire := wireError(err, inner.about)
		writeError(w, wire, inner.id)
		if wire.Status == http.StatusInternalServerError {
			inner.log(0, wire)
		}
	}
	j.x.quirks.merge(inner.quirks)
	o.status, o.version, o.location = w.status, w.header.Get("ETag"), w.header.Get("Location")
	o.returned = inner.returned
	if o.location == "" && o.method != http.MethodPost {
		o.location = j.x.BaseURL + "/" + strings.Join(segments(path), "/")
	}
	if o.response = nil; o.failed() {
		o.response = w.body.Bytes()
	}
}

// fail notes that an operation was refused by the bulk itself.
func (j *bulkJob) fail(o *bulkOperation, err error) {
	w := &recorder{header: http.Header{}}
	writeError(w, wireError(err, "such resource"), j.x.id)
	if o.status, o.response = w.status, w.body.Bytes(); o.method != http.MethodPost && len(segments(o.path)) == 2 {
		o.location = j.x.BaseURL + "/" + strings.Join(segments(o.path), "/")
	}
	j.errors++
}

// recorder keeps the answer of one operation.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header    { return w.header }
func (w *recorder) WriteHeader(status int) { w.status = status }

// Write keeps the body of an error only: that of a success is not shown.
func (w *recorder) Write(b []byte) (int, error) {
	if w.status >= 300 {
		return w.body.Write(b)
	}
	return len(b), nil
}

const bulkPrefix = "bulkId:"

// bulkReference gives the bulkId that the last part of a path stands for.
func bulkReference(path []string) (id string, ok bool) {
	if len(path) == 0 {
		return "", false
	}
	return strings.CutPrefix(path[len(path)-1], bulkPrefix)
}

// referenceIn gives the bulkId in a value: "bulkId:x", or an address that ends so.
func referenceIn(value string) (id, before string, ok bool) {
	if id, ok = strings.CutPrefix(value, bulkPrefix); ok {
		return id, "", id != ""
	}
	i := strings.LastIndex(value, "/"+bulkPrefix)
	if i < 0 {
		return "", "", false
	}
	id = value[i+1+len(bulkPrefix):]
	return id, value[:i+1], id != ""
}

func appendReferences(refs []string, data any) []string {
	switch data := data.(type) {
	case string:
		if id, _, ok := referenceIn(data); ok {
			refs = append(refs, id)
		}
	case []any:
		for _, v := range data {
			refs = appendReferences(refs, v)
		}
	case map[string]any:
		for _, v := range data {
			refs = appendReferences(refs, v)
		}
	}
	return refs
}

// resolve puts ids in the place of bulkIds, in the data itself.
func (j *bulkJob) resolve(data any) any {
	switch data := data.(type) {
	case string:
		if id, before, ok := referenceIn(data); ok && j.byID[id] != nil {
			return before + j.byID[id].id
		}
	case []any:
		for i, v := range data {
			data[i] = j.resolve(v)
		}
	case map[string]any:
		for name, v := range data {
			data[name] = j.resolve(v)
		}
	}
	return data
}

func (j *bulkJob) resolvePath(path string) string {
	parts := segments(path)
	if id, ok := bulkReference(parts); ok && j.byID[id] != nil {
		parts[len(parts)-1] = j.byID[id].id
	}
	return "/" + strings.Join(parts, "/")
}

// pruned gives the data without the values that refer to one of the bulkIds: an element of a list goes as a whole, and an object that
// has nothing else but the reference.
func pruned(data any, open []string) any {
	switch data := data.(type) {
	case string:
		if id, _, ok := referenceIn(data); ok && slices.Contains(open, id) {
			return nil
		}
	case []any:
		kept := make([]any, 0, len(data))
		for _, v := range data {
			if v = pruned(v, open); v != nil {
				kept = append(kept, v)
			}
		}
		return kept
	case map[string]any:
		kept := maps.Clone(data)
		for name, v := range data {
			if next := pruned(v, open); next != nil || v == nil {
				kept[name] = next
			} else if delete(kept, name); strings.EqualFold(name, "value") || strings.EqualFold(name, "$ref") {
				return nil // what is left describes what it refers to
			}
		}
		return kept
	}
	return data
}
