package adminapi

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/jsonschema-go/jsonschema"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// types are those of the bodies, by the names under which the document has them.
type types struct {
	names    map[reflect.Type]string
	comments map[string]string // "package.Type" and "package.Type.Field" -> what the source says of it
}

func newTypes(t *testing.T) *types {
	t.Helper()
	all := &types{map[reflect.Type]string{}, map[string]string{}}
	for pkg, dir := range map[string]string{"adminapi": ".", "licensing": "../../../licensing", "store": "../../../store", "sso": "../../../sso"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %v", dir, files, err)
		}
		for _, file := range files {
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			all.read(pkg, parsed)
		}
	}
	return all
}

// read takes in the comments of a file.
func (all *types) read(pkg string, file *ast.File) {
	ast.Inspect(file, func(n ast.Node) bool {
		d, ok := n.(*ast.GenDecl)
		if !ok {
			return true
		}
		for _, spec := range d.Specs {
			named, ok := spec.(*ast.TypeSpec)
			if !ok {
				continue
			}
			all.comments[pkg+"."+named.Name.Name] = sentence(d.Doc.Text())
			fields, ok := named.Type.(*ast.StructType)
			if !ok {
				continue
			}
			for _, f := range fields.Fields.List {
				for _, name := range f.Names {
					all.comments[pkg+"."+named.Name.Name+"."+name.Name] = sentence(f.Doc.Text() + " " + f.Comment.Text())
				}
			}
		}
		return true
	})
}

// sentence brings a comment into one line.
func sentence(comment string) string {
	text := strings.Join(strings.Fields(comment), " ")
	return strings.NewReplacer("[", "", "]", "").Replace(text)
}

// collect finds the structs of ours that a type is made of.
func (all *types) collect(t reflect.Type) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		all.collect(t.Elem())
	case reflect.Struct:
		if !strings.HasPrefix(t.PkgPath(), "usher/") || all.names[t] != "" {
			return
		}
		name := t.Name()
		if inner := regexp.MustCompile(`^list\[.*\.(\w+)\]$`).FindStringSubmatch(name); inner != nil {
			name = inner[1] + "List"
		}
		all.names[t] = name
		for i := range t.NumField() {
			if f := t.Field(i); f.Tag.Get("json") != "-" {
				all.collect(f.Type)
			}
		}
	}
}

// schema makes the schema of a type in which the other structs are references.
func (all *types) schema(t *testing.T, of reflect.Type) *jsonschema.Schema {
	t.Helper()
	known := map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[time.Time]():       {Type: "string", Format: "date-time"},
		reflect.TypeFor[json.RawMessage](): {},
	}
	for other, name := range all.names {
		if other != of {
			known[other] = &jsonschema.Schema{Ref: "#/components/schemas/" + name}
		}
	}
	if of.Kind() == reflect.Struct {
		for i := range of.NumField() {
			if f := of.Field(i); f.Anonymous { // its fields become those of the struct
				delete(known, f.Type)
			}
		}
	}
	s, err := jsonschema.ForType(of, &jsonschema.ForOptions{TypeSchemas: known})
	if err != nil {
		t.Fatalf("%s: %v", of, err)
	}
	s.AdditionalProperties = nil // there may be more in another version
	if of.Kind() == reflect.Struct {
		pkg := of.PkgPath()[strings.LastIndexByte(of.PkgPath(), '/')+1:]
		s.Description = all.comments[pkg+"."+of.Name()]
		for _, f := range reflect.VisibleFields(of) {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if p := s.Properties[name]; p != nil { // what is not there is left out, and lists are empty rather than null
				p.Types = slices.DeleteFunc(p.Types, func(t string) bool { return t == "null" })
				if len(p.Types) == 1 {
					p.Type, p.Types = p.Types[0], nil
				}
				if len(p.Types) == 0 {
					p.Types = nil
				}
			}
			if p := s.Properties[name]; p != nil && p.Ref == "" {
				p.Description = all.comments[pkg+"."+of.Name()+"."+f.Name]
				if owner := owning(of, f); owner != of {
					p.Description = all.comments[pkg+"."+owner.Name()+"."+f.Name]
				}
			}
		}
	}
	return s
}

// owning gives the struct, of those embedded in one, that has a field.
func owning(t reflect.Type, f reflect.StructField) reflect.Type {
	for _, i := range f.Index[:len(f.Index)-1] {
		t = t.Field(i).Type
	}
	return t
}

// document makes the description of the operations.
func document(t *testing.T, routes []route) map[string]any {
	t.Helper()
	all := newTypes(t)
	all.collect(reflect.TypeFor[Problem]())
	for _, r := range routes {
		for _, body := range []any{r.in, r.out} {
			if body != nil {
				all.collect(reflect.TypeOf(body))
			}
		}
	}
	schemas := map[string]any{}
	for of, name := range all.names {
		if schemas[name] != nil {
			t.Fatalf("two types have the name %s", name)
		}
		schemas[name] = all.schema(t, of)
	}
	content := func(mediaType string, body any) map[string]any {
		schema := any(map[string]any{"type": "object"})
		if name := all.names[reflect.TypeOf(body)]; name != "" {
			schema = map[string]any{"$ref": "#/components/schemas/" + name}
		}
		return map[string]any{mediaType: map[string]any{"schema": schema}}
	}
	who := map[authority]string{
		nobody: "Everybody.", userAdmin: "User-admins of the company, and super-admins.", superAdmin: "Super-admins of the company.",
		operatorOnly: "Whoever runs the server, over its socket.",
	}
	paths := map[string]map[string]any{}
	placeholder := regexp.MustCompile(`\{(\w+)\}`)
	for _, r := range routes {
		method, path, _ := strings.Cut(r.pattern, " ")
		parameters := []any{}
		for _, name := range placeholder.FindAllStringSubmatch(path, -1) {
			parameters = append(parameters, map[string]any{"name": name[1], "in": "path", "required": true, "schema": map[string]any{"type": "string"}})
		}
		for _, q := range r.query {
			schema := map[string]any{"type": "string"}
			if q.kind != "" {
				schema["type"] = q.kind
			}
			if q.one != nil {
				schema["enum"] = q.one
			}
			parameters = append(parameters, map[string]any{"name": q.name, "in": "query", "description": q.about, "schema": schema})
		}
		if r.repeatable() {
			parameters = append(parameters, map[string]any{
				"name": idempotencyHeader, "in": "header", "schema": map[string]any{"type": "string", "maxLength": maxIdempotency},
				"description": "With the same key the same request is carried out once within 24 hours; its answer is given again.",
			})
		}
		answer := map[string]any{"description": http.StatusText(r.success())}
		if r.out != nil {
			answer["content"] = content("application/json", r.out)
		}
		op := map[string]any{
			"operationId": operationID(method, path), "summary": r.summary, "description": "For: " + who[r.least], "parameters": parameters,
			"responses": map[string]any{
				fmt.Sprint(r.success()): answer,
				"default":               map[string]any{"description": "Why not.", "content": content(problemType, Problem{})},
			},
		}
		if r.in != nil {
			op["requestBody"] = map[string]any{"required": true, "content": content("application/json", r.in)}
		}
		if r.least == nobody {
			op["security"] = []any{}
		}
		if paths[path] == nil {
			paths[path] = map[string]any{}
		}
		paths[path][strings.ToLower(method)] = op
	}
	return map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{
			"title": "usher admin API", "version": "1", "license": map[string]any{"name": "Apache 2.0", "identifier": "Apache-2.0"},
			"description": "What admins of companies do: people, licenses, rules, connections. {company} is a company's short name, {account} an account's id, user name or externalId.",
		},
		"servers":    []any{map[string]any{"url": "/admin/api"}},
		"security":   []any{map[string]any{"bearer": []any{}}},
		"paths":      paths,
		"components": map[string]any{"schemas": schemas, "securitySchemes": map[string]any{"bearer": map[string]any{"type": "http", "scheme": "bearer", "description": "The token of a session (POST /v1/sessions), or a key of a local admin."}}},
	}
}

// operationID names an operation: "getCompaniesAccounts".
func operationID(method, path string) string {
	id := strings.ToLower(method)
	for _, part := range strings.Split(strings.TrimPrefix(path, "/v1/"), "/") {
		if strings.HasPrefix(part, "{") {
			part = "by-" + strings.Trim(part, "{}")
		}
		for _, word := range strings.FieldsFunc(part, func(r rune) bool { return r == '-' || r == '.' || r == '_' }) {
			id += strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return id
}

// TestOpenAPI holds the document against the operations: -update makes it anew.
func TestOpenAPI(t *testing.T) {
	d := newDesk(t)
	b, err := json.MarshalIndent(document(t, d.handler.routes()), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	b = append(b, '\n')
	if *update {
		if err := os.WriteFile("openapi.json", b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(stored), string(b)); diff != "" {
		t.Errorf("openapi.json is not that of the operations; go test -update makes it anew (-stored +made):\n%s", diff)
	}
	if *update {
		return
	}
	r := httptest.NewRequest(http.MethodGet, "/v1/openapi.json", nil)
	rec := httptest.NewRecorder()
	d.handler.Public().ServeHTTP(rec, r) // nobody has to sign in to read it
	var served struct {
		OpenAPI string
		Paths   map[string]map[string]any
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &served); err != nil || served.OpenAPI != "3.1.0" {
		t.Fatalf("served: %v, version %q", err, served.OpenAPI)
	}
	ids, shapes := map[string]bool{}, map[string]bool{}
	operations := 0
	for path, methods := range served.Paths {
		shape := regexp.MustCompile(`\{\w+\}`).ReplaceAllString(path, "{}")
		if shapes[shape] { // OpenAPI takes them for the same
			t.Errorf("%s differs from another path in names only", path)
		}
		shapes[shape] = true
		for method, op := range methods {
			operations++
			id, _ := op.(map[string]any)["operationId"].(string)
			if id == "" || ids[id] {
				t.Errorf("%s %s has the id %q of another", method, path, id)
			}
			ids[id] = true
		}
	}
	if operations != len(d.handler.routes()) {
		t.Errorf("%d operations are described, %d are served", operations, len(d.handler.routes()))
	}
}

// contract checks what passes between the tests and a handler against the document.
type contract struct {
	t       *testing.T
	handler *Handler
	next    http.Handler
}

// schemas are those of the bodies, ready to validate; they take a while to make.
var schemas = sync.OnceValues(func() (map[string]*jsonschema.Resolved, error) {
	b, err := os.ReadFile("openapi.json")
	if err != nil {
		return nil, err
	}
	var doc struct {
		Components struct{ Schemas map[string]json.RawMessage }
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		return nil, err
	}
	resolved := map[string]*jsonschema.Resolved{}
	for name := range doc.Components.Schemas {
		// Each as a document of its own that has all of them where the references look.
		text := fmt.Sprintf(`{"$ref": "#/$defs/%s", "$defs": %s}`, name, strings.ReplaceAll(string(mustMarshal(doc.Components.Schemas)), "#/components/schemas/", "#/$defs/"))
		var s jsonschema.Schema
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			return nil, err
		}
		if resolved[name], err = s.Resolve(nil); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return resolved, nil
})

func mustMarshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // it was JSON a moment ago
	}
	return b
}

// answered are the patterns of the operations that the tests have seen done.
var answered sync.Map

func (c contract) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, pattern := c.handler.mux.Handler(r)
	at := slices.IndexFunc(c.handler.routes(), func(r route) bool { return r.pattern == pattern })
	body, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Error(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	rec := httptest.NewRecorder()
	c.next.ServeHTTP(rec, r)
	if at >= 0 {
		route := c.handler.routes()[at]
		if rec.Code < 300 {
			answered.Store(pattern, true)
			c.check(pattern+": what it was sent", route.in, body)
			c.check(pattern+": what it answers", route.out, rec.Body.Bytes())
			if rec.Code != route.success() {
				c.t.Errorf("%s: status %d, described as %d", pattern, rec.Code, route.success())
			}
		} else {
			c.check(pattern+": why not", Problem{}, rec.Body.Bytes())
		}
	}
	for name, values := range rec.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes())
}

// check validates a body against the schema of its type.
func (c contract) check(what string, as any, body []byte) {
	if as == nil {
		if strings.Contains(what, "answers") && len(body) > 0 {
			c.t.Errorf("%s: a body where none is described", what)
		}
		return
	}
	all := &types{names: map[reflect.Type]string{}}
	all.collect(reflect.TypeOf(as))
	resolved, err := schemas()
	if err != nil {
		c.t.Fatal(err)
	}
	schema := resolved[all.names[reflect.TypeOf(as)]]
	if schema == nil {
		return // an object of any kind
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		c.t.Errorf("%s: %v in %s", what, err, body)
		return
	}
	if err := schema.Validate(value); err != nil {
		c.t.Errorf("%s is not as it is described: %v in %s", what, err, body)
	}
}

// TestMain looks at the end whether every operation was done in some test.
func TestMain(m *testing.M) {
	flag.Parse()
	status := m.Run()
	if status == 0 && flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == "" && !testing.Short() {
		for _, r := range (&Handler{}).routes() {
			if _, done := answered.Load(r.pattern); !done && r.pattern != "GET /v1/openapi.json" {
				fmt.Fprintf(os.Stderr, "no test has %s carried out\n", r.pattern)
				status = 1
			}
		}
	}
	os.Exit(status)
}
