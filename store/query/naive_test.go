package query_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"time"

	"usher/store/query"
)

// naive evaluates filters over decoded documents, by the types that Go and its library have for values: it shares with the judge
// nothing but Fold.
type naive struct {
	doc     any
	columns map[string][]string
	numbers map[string]*big.Rat // by their canonical form
}

// columnValue is one value of a column.
type columnValue string

func (e naive) record(n query.Node) bool {
	return e.holds(n, func(path string) []any {
		if strings.HasPrefix(path, "@") {
			var all []any
			for _, v := range e.columns[path] {
				all = append(all, columnValue(v))
			}
			return all
		}
		return valuesAt(e.doc, strings.Split(path, "/"))
	})
}

func (e naive) element(n query.Node, v any) bool {
	return e.holds(n, func(path string) []any { return valuesAt(v, strings.Split(path, "/")) })
}

func (e naive) holds(n query.Node, at func(path string) []any) bool {
	switch n := n.(type) {
	case nil:
		return true
	case query.And:
		for _, n := range n {
			if !e.holds(n, at) {
				return false
			}
		}
		return true
	case query.Or:
		for _, n := range n {
			if e.holds(n, at) {
				return true
			}
		}
		return false
	case query.Not:
		return !e.holds(n.Node, at)
	case query.Leaf:
		for _, v := range at(n.Path) {
			if n.Op == query.Present && isPresent(v) || n.Op != query.Present && e.compares(n, v) {
				return true
			}
		}
		return false
	case query.Element:
		for _, v := range at(n.Path) {
			if e.element(n.Cond, v) {
				return true
			}
		}
		return false
	}
	panic(fmt.Sprintf("%T", n))
}

// valuesAt gives the values at a path, none of which is null or an array.
func valuesAt(v any, names []string) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		var all []any
		for _, v := range v {
			all = append(all, valuesAt(v, names)...)
		}
		return all
	case map[string]any:
		if len(names) > 0 {
			return valuesAt(v[names[0]], names[1:])
		}
	default:
		if len(names) > 0 && names[0] == "value" {
			return valuesAt(v, names[1:])
		}
		if len(names) > 0 {
			return nil
		}
	}
	return []any{v}
}

func isPresent(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case string:
		return v != ""
	case columnValue:
		return v != ""
	case []any:
		for _, v := range v {
			if isPresent(v) {
				return true
			}
		}
		return false
	case map[string]any:
		for _, v := range v {
			if isPresent(v) {
				return true
			}
		}
		return false
	}
	return true
}

func (e naive) compares(l query.Leaf, v any) bool {
	if c, ok := v.(columnValue); ok {
		if l.Type == query.String && l.Fold {
			c = columnValue(query.Fold(string(c)))
		}
		return textHolds(l.Op, string(c), l.Value)
	}
	switch l.Type {
	case query.Boolean:
		b, ok := v.(bool)
		return ok && b == (l.Value == "1")
	case query.Integer, query.Decimal:
		n, ok := v.(json.Number)
		if !ok {
			return false
		}
		r, ok := new(big.Rat).SetString(n.String())
		if !ok || l.Type == query.Integer && !r.IsInt() {
			return false
		}
		return orderHolds(l.Op, r.Cmp(e.numbers[l.Value]))
	}
	s, ok := v.(string)
	if !ok {
		return false
	}
	if l.Type == query.DateTime {
		t, ok := instant(s)
		literal, _ := instant(l.Value)
		return ok && orderHolds(l.Op, t.Compare(literal))
	}
	if l.Type == query.String && l.Fold {
		s = query.Fold(s)
	}
	return textHolds(l.Op, s, l.Value)
}

func instant(s string) (time.Time, bool) {
	if strings.Contains(s, ",") { // package time takes it for the point
		return time.Time{}, false
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, strings.ToUpper(s)); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func orderHolds(op query.Op, c int) bool {
	switch op {
	case query.Equal:
		return c == 0
	case query.Greater:
		return c > 0
	case query.GreaterEqual:
		return c >= 0
	case query.Less:
		return c < 0
	case query.LessEqual:
		return c <= 0
	}
	panic(fmt.Sprint("no order: ", op))
}

func textHolds(op query.Op, s, literal string) bool {
	switch op {
	case query.Contains:
		return strings.Contains(s, literal)
	case query.StartsWith:
		return strings.HasPrefix(s, literal)
	case query.EndsWith:
		return strings.HasSuffix(s, literal)
	}
	return orderHolds(op, strings.Compare(s, literal))
}
