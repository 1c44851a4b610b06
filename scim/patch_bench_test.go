package scim

import "testing"

// What a POST costs before the directory: read the body, make the resource, check it, write its document.
func BenchmarkCreate(b *testing.B) {
	rt := testUser(b)
	body := []byte(userBody)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		in, err := decodeObject(body, testDepth)
		if err != nil {
			b.Fatal(err)
		}
		r, err := normalise(rt, in, newQuirks(nil, false))
		if err != nil {
			b.Fatal(err)
		}
		if err := checkResource(rt, r); err != nil {
			b.Fatal(err)
		}
		encode(rt, r)
	}
}

// What the usual PATCH of Entra costs before the directory, reading the stored document included.
func BenchmarkPatch(b *testing.B) {
	rt, parser := testUser(b), testParser()
	r, err := normalise(rt, object(b, userBody), newQuirks(nil, false))
	if err != nil {
		b.Fatal(err)
	}
	doc := encode(rt, r)
	body := []byte(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
		{"op":"Replace","path":"displayName","value":"Pvlo"},
		{"op":"Replace","path":"emails[type eq \"work\"].value","value":"x@contoso.example"},
		{"op":"Replace","path":"name.givenName","value":"Gtfd"},
		{"op":"Replace","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber","value":"42"}]}`)
	b.ReportAllocs()
	for b.Loop() {
		q := newQuirks(nil, false)
		in, err := decodeObject(body, testDepth)
		if err != nil {
			b.Fatal(err)
		}
		ops, err := parsePatch(in, q)
		if err != nil {
			b.Fatal(err)
		}
		before, err := decodeDocument(doc)
		if err != nil {
			b.Fatal(err)
		}
		after, _, err := applyPatch(rt, parser, before, ops, q)
		if err != nil {
			b.Fatal(err)
		}
		if err := checkResource(rt, after); err != nil {
			b.Fatal(err)
		}
		encode(rt, after)
	}
}

func BenchmarkDecodeObject(b *testing.B) {
	body := []byte(userBody)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decodeObject(body, testDepth); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDocument(b *testing.B) {
	rt := testUser(b)
	r, err := normalise(rt, object(b, userBody), newQuirks(nil, false))
	if err != nil {
		b.Fatal(err)
	}
	doc := encode(rt, r)
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			encode(rt, r)
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := decodeDocument(doc); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("check", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := checkResource(rt, r); err != nil {
				b.Fatal(err)
			}
		}
	})
}
