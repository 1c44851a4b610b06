package sso_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"usher/sso"
)

// TestSecret_prints: there is no way to print a secret by accident.
func TestSecret_prints(t *testing.T) {
	type holder struct{ S sso.Secret }
	s := sso.NewSecret("hidden")
	h := holder{s}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s, "holder", h)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", s, "holder", &h)
	b, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	inside := struct{ s sso.Secret }{s}
	said := fmt.Sprintf("%v %+v %#v %v", inside, inside, inside, &inside) + fmt.Sprintf("%v %+v %#v %s %q %x %d %v %#v %s", s, s, s, s, s, s, s, h, h, &h) + string(b) + log.String() + fmt.Sprint(fmt.Errorf("%v", h))
	if strings.Contains(said, "hidden") || strings.Contains(said, fmt.Sprintf("%x", "hidden")) {
		t.Error(said)
	}
}
