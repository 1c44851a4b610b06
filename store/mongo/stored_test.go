package mongo

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"usher/store"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestStored keeps the form of the documents: they are named after Go fields, and a database outlives a renaming.
func TestStored(t *testing.T) {
	for name, doc := range map[string]any{
		"company":       &fact[companyRecord]{},
		"connection":    &fact[store.Connection]{},
		"token":         &fact[store.Token]{},
		"admin_key":     &fact[store.AdminKey]{},
		"admin_session": &fact[store.AdminSession]{},
		"session":       &fact[store.Session]{},
		"account":       &fact[store.Account]{},
		"group":         &fact[store.Group]{},
		"pool":          &fact[store.Pool]{},
		"rule":          &fact[store.Rule]{},
		"schemas":       &fact[schemasRecord]{},
		"seat":          &seat{},
		"member":        &memberRow{},
		"tombstone":     &tombstoneRecord{},
		"event":         &eventRecord{},
		"sweep":         &sweepRecord{},
		"mail":          &mailRecord{},
		"sign_in":       &signInRecord{},
		"logout":        &logoutRecord{},
		"request":       &requestRecord{},
		"quirk":         &quirkRecord{},
		"loss":          &lossRecord{},
		"meta":          &metaRecord{},
	} {
		t.Run(name, func(t *testing.T) {
			(&filler{}).fill(reflect.ValueOf(doc).Elem())
			raw, err := bson.Marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			text, err := bson.MarshalExtJSONIndent(bson.Raw(raw), true, false, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			text = append(text, '\n')
			file := filepath.Join("testdata", "stored", name+".json")
			if *update {
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, text, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(text)); diff != "" {
				t.Errorf("stored otherwise than before (-before +now); databases that are there need a migration:\n%s", diff)
			}

			// What is stored is read again as it was.
			again := reflect.New(reflect.TypeOf(doc).Elem())
			if err := bson.UnmarshalExtJSON(want, true, again.Interface()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(doc, again.Interface(), cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
				t.Errorf("read otherwise than stored (-stored +read):\n%s", diff)
			}
		})
	}
}

// filler gives each field a value of its own.
type filler struct{ n int }

func (f *filler) fill(v reflect.Value) {
	f.n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, f.n%60, f.n%1000*int(time.Millisecond), time.UTC)))
		return
	case json.RawMessage:
		v.SetBytes(fmt.Appendf(nil, "%d", f.n))
		return
	case idSet:
		v.Set(reflect.ValueOf(idSet{"0198a0a0-0000-7000-8000-000000000001"}))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				f.fill(v.Field(i))
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		f.fill(v.Index(0))
	case reflect.Array:
		for i := range v.Len() {
			f.fill(v.Index(i))
		}
	case reflect.String:
		v.SetString(fmt.Sprintf("s%d", f.n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8:
		v.SetUint(uint64(f.n % 256))
	default:
		v.SetInt(int64(f.n))
	}
}
