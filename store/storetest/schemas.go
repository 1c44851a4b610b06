package storetest

import (
	"strings"

	"usher/store"
)

func testSchemas(f *fixture) {
	declare := func(company, urn, doc string) store.Schema {
		s := store.Schema{Company: company, URN: urn, Type: "User", Doc: []byte(doc), Created: f.now()}
		f.check(f.PutSchema(f.ctx, s, []store.Event{f.event("schema.put", urn)}))
		return s
	}
	var last int64
	list := func(what string, company string, want ...store.Schema) {
		f.Helper()
		all, revision, err := f.ListSchemas(f.ctx, company)
		f.check(err)
		f.same(what, all, want)
		if company != f.company {
			return
		}
		if last > 0 && revision <= last {
			f.Errorf("%s: the revision is %d after %d", what, revision, last)
		}
		last = revision
	}
	list("none", f.company)
	f.same("revision of none", last, int64(0))
	a := declare(f.company, "urn:example:A", "{}")
	b := declare(f.company, "urn:example:b", `{"x":1}`)
	list("two", f.company, a, b)
	other := f.newCompany("other")
	theirs := declare(other.ID, "urn:example:a", "[]")
	again := declare(f.company, strings.ToUpper(a.URN), `{"y":2}`) // in the place of the first
	again.Created = a.Created
	list("one replaced", f.company, again, b)
	list("another company's", other.ID, theirs)
	f.want("none such", f.DeleteSchema(f.ctx, f.company, "urn:example:c", []store.Event{f.event("lost", "c")}), store.ErrNotFound)
	f.check(f.DeleteSchema(f.ctx, f.company, "URN:example:a", []store.Event{f.event("schema.delete", a.URN)}))
	list("one removed", f.company, b)
	f.check(f.DeleteSchema(f.ctx, f.company, b.URN, nil))
	list("none left", f.company)
	f.same("events", ids(f.log(f.company), func(e store.Event) string { return e.Action }),
		[]string{"schema.put", "schema.put", "schema.put", "schema.delete"})
	if err := f.PutSchema(f.ctx, store.Schema{Company: store.NewID(), URN: "urn:example:a", Doc: []byte("{}")}, nil); err == nil {
		f.Error("a schema of no company was stored")
	}
}
