package filter

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// item is what the guard has lifted out of a filter: a literal or a value path.
type item struct {
	kind itemKind
	text string // the decoded string; the text of a number or boolean; the filter in the brackets of a value path
	tail string // of a value path: the comparison after the brackets, without the dot (value eq "x")

	depth int // of a value path: how deep its filter is nested
}

type itemKind uint8

const (
	quoted itemKind = iota
	number
	boolean
	null
	valuePath
)

// describe names the literal in an error message.
func (it item) describe() string {
	switch it.kind {
	case quoted:
		return "the string " + excerpt(it.text)
	case number:
		return "the number " + it.text
	case boolean:
		return "the boolean " + it.text
	}
	return "null"
}

// guard makes the skeleton of one filter. The same pass that finds the literals refuses whatever the parser should not see; it
// does not decide whether the rest is a filter.
type guard struct {
	quirks   Quirks
	maxDepth int
	skeleton []byte
	items    []item

	depth   int // of the whole text: that of the brackets around it
	open    int // parentheses
	expects expectation

	// Room for the skeleton and items of most filters, so that the guard is the only thing to allocate.
	skeletonRoom [96]byte
	itemsRoom    [2]item
}

// newGuard makes the guard of a text that is nested depth deep already.
func newGuard(q Quirks, maxDepth, depth int) *guard {
	g := &guard{quirks: q, maxDepth: maxDepth, depth: depth}
	g.skeleton, g.items = g.skeletonRoom[:0], g.itemsRoom[:0]
	return g
}

// maxName is the length in bytes up to which the parser is given a name. It takes microseconds for each character, and no
// attribute that can be declared has a longer one.
const maxName = 256

// expectation is what the next word must be if the text is a filter. It only serves to tell literals without quotes from names.
type expectation uint8

const (
	aName expectation = iota // or a keyword or a parenthesis
	anOperator
	aValue
)

// scan reads the whole text.
func (g *guard) scan(text string) error {
	for i := 0; i < len(text); {
		switch c := text[i]; c {
		case ' ':
			for i < len(text) && text[i] == ' ' {
				i++
			}
			g.skeleton = append(g.skeleton, ' ')
		case '(':
			if g.open++; g.depth+g.open > g.maxDepth {
				return g.tooDeep()
			}
			g.skeleton = append(g.skeleton, '(')
			g.expects = aName
			i++
		case ')':
			if g.open--; g.open < 0 {
				return errorf("the filter closes a parenthesis that was not opened")
			}
			g.skeleton = append(g.skeleton, ')')
			g.expects = aName
			i++
		case '"':
			end := stringEnd(text, i)
			if end < 0 {
				return errorf("the string %s is not closed", excerpt(text[i:]))
			}
			s, err := unquote(text[i:end])
			if err != nil {
				return err
			}
			g.lift(item{kind: quoted, text: s})
			i = end
		case '[':
			end, err := g.valuePath(text, i)
			if err != nil {
				return err
			}
			i = end
		case ']':
			return errorf("the filter closes a bracket that was not opened")
		default:
			end := i + wordLength(text[i:])
			if err := g.word(text[i:end]); err != nil {
				return err
			}
			i = end
		}
	}
	return nil
}

func (g *guard) tooDeep() error {
	return errorf("the filter is nested more than %d deep", g.maxDepth)
}

// lift leaves the item's number in the skeleton.
func (g *guard) lift(it item) {
	g.skeleton = append(g.skeleton, '"')
	g.skeleton = strconv.AppendInt(g.skeleton, int64(len(g.items)), 10)
	g.skeleton = append(g.skeleton, '"')
	g.items = append(g.items, it)
	g.expects = aName
}

func (g *guard) word(w string) error {
	switch g.expects {
	case aName:
		if isKeyword(w) {
			g.skeleton = append(g.skeleton, w...)
			return nil
		}
		if !isName(w) {
			return errorf("%s is not an attribute name", excerpt(w))
		}
		if len(w) > maxName {
			return unknown("no attribute has the name %s", excerpt(w))
		}
		g.skeleton = append(g.skeleton, w...)
		g.expects = anOperator
	case anOperator:
		op, ok := comparisonOf(w)
		if !ok {
			return errorf("%s is not an operator; eq, ne, co, sw, ew, gt, ge, lt, le and pr are", excerpt(w))
		}
		g.skeleton = append(g.skeleton, op.String()...)
		g.expects = aValue
		if op == pr {
			g.expects = aName
		}
	case aValue:
		it, err := g.bare(w)
		if err != nil {
			return err
		}
		g.lift(it)
	}
	return nil
}

// bare reads a literal that is not in quotes.
func (g *guard) bare(w string) (item, error) {
	switch {
	case strings.EqualFold(w, "true"), strings.EqualFold(w, "false"):
		return item{kind: boolean, text: w}, nil
	case strings.EqualFold(w, "null"):
		return item{kind: null}, nil
	case (w[0] == '-' || '0' <= w[0] && w[0] <= '9') && json.Valid([]byte(w)):
		return item{kind: number, text: w}, nil
	case allow(g.quirks, QuirkUnquotedLiteral):
		return item{kind: quoted, text: w}, nil
	}
	return item{}, errorf("the value %s must be in double quotes", excerpt(w))
}

// valuePath lifts the brackets that open at i, with the comparison that may follow them, and gives the position after both.
func (g *guard) valuePath(text string, i int) (int, error) {
	if g.expects != anOperator {
		return 0, errorf("brackets must follow the name of an attribute")
	}
	depth := g.depth + g.open + 1
	if depth > g.maxDepth {
		return 0, g.tooDeep()
	}
	end, err := bracketEnd(text, i)
	if err != nil {
		return 0, err
	}
	it := item{kind: valuePath, text: strings.Trim(text[i+1:end-1], " "), depth: depth}
	if end < len(text) && text[end] == '.' {
		n := comparisonLength(text[end+1:])
		if n == 0 {
			return 0, errorf("%s after the brackets is not a comparison", excerpt(text[end:]))
		}
		if !allow(g.quirks, QuirkValuePathTail) {
			return 0, errorf("a sub-attribute cannot follow the brackets in a filter; put the comparison %s into them",
				excerpt(text[end+1:end+1+n]))
		}
		it.tail = text[end+1 : end+1+n]
		end += 1 + n
	}
	if k := len(g.skeleton); g.skeleton[k-1] == ' ' {
		g.skeleton = g.skeleton[:k-1]
	}
	g.skeleton = append(g.skeleton, " eq "...)
	g.lift(it)
	return end, nil
}

// comparisonLength gives the length of the comparison (name operator value) that the text begins with; 0 when there is none.
func comparisonLength(text string) int {
	end := wordLength(text)
	if end == 0 {
		return 0
	}
	start := end + spaces(text[end:])
	end = start + wordLength(text[start:])
	if op, ok := comparisonOf(text[start:end]); !ok {
		return 0
	} else if op == pr {
		return end
	}
	start = end + spaces(text[end:])
	if start < len(text) && text[start] == '"' {
		return max(stringEnd(text, start), 0)
	}
	n := wordLength(text[start:])
	if n == 0 {
		return 0
	}
	return start + n
}

// stringEnd gives the position after the string literal that begins at i; -1 when it does not end.
func stringEnd(text string, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// bracketEnd gives the position after the bracket that closes the one at open.
func bracketEnd(text string, open int) (int, error) {
	for i := open + 1; i < len(text); {
		switch text[i] {
		case '"':
			end := stringEnd(text, i)
			if end < 0 {
				return 0, errorf("the string %s is not closed", excerpt(text[i:]))
			}
			i = end
		case '[':
			return 0, errorf("a filter in brackets cannot hold other brackets")
		case ']':
			return i + 1, nil
		default:
			i++
		}
	}
	return 0, errorf("the bracket %s is not closed", excerpt(text[open:]))
}

// wordLength gives the length of the word that the text begins with.
func wordLength(text string) int {
	for i := range len(text) {
		switch text[i] {
		case ' ', '(', ')', '[', ']', '"':
			return i
		}
	}
	return len(text)
}

func spaces(text string) int { return len(text) - len(strings.TrimLeft(text, " ")) }

// unquote decodes a string literal, which is that of JSON.
func unquote(literal string) (string, error) {
	if strings.IndexByte(literal, '\\') < 0 {
		return literal[1 : len(literal)-1], nil // control characters and invalid UTF-8 were refused before
	}
	s, err := jsontext.AppendUnquote(nil, literal)
	if err != nil {
		return "", errorf("the string %s has an invalid escape", excerpt(literal))
	}
	return string(s), nil
}

// isName says whether the word could be the name of an attribute, with or without a URN.
func isName(w string) bool {
	for i := range len(w) {
		switch c := w[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '$':
		case '0' <= c && c <= '9', c == '-', c == '_', c == '.', c == ':':
			if i == 0 {
				return false
			}
		default:
			return false
		}
	}
	return w != "" && w[len(w)-1] != '.' && w[len(w)-1] != ':'
}

func isKeyword(w string) bool {
	return len(w) <= 3 && (strings.EqualFold(w, "and") || strings.EqualFold(w, "or") || strings.EqualFold(w, "not"))
}

func allow(q Quirks, quirk string) bool { return q != nil && q.Allow(quirk) }
