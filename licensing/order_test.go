package licensing_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"usher/licensing"
	"usher/store"
	"usher/store/enginetest"
)

// TestDirectory_order: the same requests, in any order that keeps the order of those for the same person or group, end in the same
// licenses, where there are seats enough and nothing of equal rank asks for different ones.
func TestDirectory_order(t *testing.T) {
	fewer(t)
	s, companies := enginetest.Open(t, nil), 0
	rapid.Check(t, func(t *rapid.T) {
		const people, groups = 4, 2
		// What is asked of each person, then of each group, in order.
		type request func(w *world, ids []string, groups []string) licensing.Operation
		lines := make([][]request, people+groups)
		for p := range people {
			for range rapid.IntRange(1, 4).Draw(t, "requests") {
				carrier := rapid.SampledFrom(allCarriers).Draw(t, "carrier")
				asks := rapid.SampledFrom([][]licensing.License{nil, {ringex}, {plus}}).Draw(t, "asks")
				active := rapid.IntRange(0, 3).Draw(t, "active") > 0
				lines[p] = append(lines[p], func(w *world, ids, _ []string) licensing.Operation {
					return w.edit(ids[p], func(d *licensing.Draft) {
						d.Active, d.Intents = active, []licensing.Intent{{Carrier: carrier, Licenses: asks}}
					})
				})
			}
		}
		for g := range groups {
			for range rapid.IntRange(1, 4).Draw(t, "changes") {
				member, add := rapid.IntRange(0, people-1).Draw(t, "member"), rapid.Bool().Draw(t, "add")
				lines[people+g] = append(lines[people+g], func(_ *world, ids, groups []string) licensing.Operation {
					m := store.MemberChange{Add: []string{ids[member]}}
					if !add {
						m = store.MemberChange{Remove: []string{ids[member]}}
					}
					return licensing.UpdateGroup{ID: groups[g], Edit: func(store.Group) (*licensing.GroupDraft, store.MemberChange, error) { return nil, m, nil }}
				})
			}
		}
		play := func(label string) map[string]string {
			companies++
			w := newWorld(t, s, store.Company{Name: fmt.Sprintf("acme-%d", companies)}, map[licensing.License]int{plus: people, ringex: people})
			var ids, made []string
			for p := range people {
				ids = append(ids, w.create(fmt.Sprintf("p%d", p)).ID)
			}
			for g := range groups {
				name := fmt.Sprintf("g%d", g)
				group := w.apply(licensing.CreateGroup{Draft: licensing.GroupDraft{Name: name, Display: name, Doc: []byte(`{}`)}}).Group.ID
				w.apply(licensing.AddRule{Group: group, License: []licensing.License{ringex, plus}[g], Priority: g})
				made = append(made, group)
			}
			left := slices.Clone(lines)
			for {
				var open []int
				for i, line := range left {
					if len(line) > 0 {
						open = append(open, i)
					}
				}
				if len(open) == 0 {
					break
				}
				i := rapid.SampledFrom(open).Draw(t, label)
				w.apply(left[i][0](w, ids, made))
				left[i] = left[i][1:]
			}
			w.checkInvariants(t)
			end := map[string]string{}
			for p, id := range ids {
				a, err := w.store.Account(t.Context(), w.company, id)
				if err != nil {
					t.Fatal(err)
				}
				end[fmt.Sprintf("p%d", p)] = a.Effective + " " + a.LicenseReason
			}
			return end
		}
		if one, other := play("one"), play("other"); !maps.Equal(one, other) {
			t.Fatalf("in one order %v, in another %v", one, other)
		}
	})
}
