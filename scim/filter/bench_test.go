package filter

import (
	"strings"
	"testing"
)

func BenchmarkFilter(b *testing.B) {
	p, r := newParser(b)
	for _, bm := range []struct{ name, text string }{
		{"userName", `userName eq "ada.lovelace@contoso.example"`},
		{"externalId", `externalId eq "5d1f2a3b-7c8d-4e9f-8a0b-1c2d3e4f5a6b"`},
		{"and", `id eq "0198c0de-0000-7000-8000-000000000001" and externalId eq "5d1f2a3b-7c8d-4e9f-8a0b-1c2d3e4f5a6b"`},
		{"extension", enterprise + `:manager eq "0198c0de-0000-7000-8000-000000000001"`},
		{"valuePath", `emails[type eq "work" and value eq "ada.lovelace@contoso.example"]`},
		{"escapes", `displayName eq "Ada \"the Countess\" Lovelace"`},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Filter(bm.text, r.User, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFilter_uncached is the worst that one text can cost: a long filter of a shape that is never kept.
func BenchmarkFilter_uncached(b *testing.B) {
	p, r := newParser(b)
	for _, bm := range []struct{ name, text string }{
		{"terms", strings.Repeat("title pr or ", 680) + "title pr"},
		{"names", strings.Repeat(enterprise+":employeeNumber pr or ", 95) + "title pr"},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Filter(bm.text, r.User, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPath(b *testing.B) {
	p, r := newParser(b)
	for _, text := range []string{
		`active`, `name.familyName`, enterprise + `:department`, `emails[type eq "work"].value`, `roles[primary eq "True"].value`,
	} {
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Path(text, r.User, &all{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
