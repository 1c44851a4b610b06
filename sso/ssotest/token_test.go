package ssotest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"usher/sso/ssotest"
)

func ago(d time.Duration) int64 { return time.Now().Add(-d).Unix() }

func claim(name string, value any) func(*ssotest.Token) {
	return func(t *ssotest.Token) { t.Claims.Set(name, value) }
}

func without(name string) func(*ssotest.Token) {
	return func(t *ssotest.Token) { t.Claims.Delete(name) }
}

func header(name string, value any) func(*ssotest.Token) {
	return func(t *ssotest.Token) { t.Header.Set(name, value) }
}

// TestToken_hostile shows that hostile tokens are what they claim to be: go-oidc refuses or, where it is known to, accepts them.
func TestToken_hostile(t *testing.T) {
	p := ssotest.New(t)
	canary := ssotest.Canary(t)
	own, foreign := p.Keys()[0], p.NewKey("RS256")
	foreign.Kid = own.Kid
	stranger := *foreign
	stranger.Kid = "stranger"
	verifier := newParty(t, p, 0).provider.Verifier(&oidc.Config{ClientID: ssotest.ClientID})
	both := []string{ssotest.ClientID, "other"}

	for _, c := range []struct {
		name   string
		edit   func(*ssotest.Token)
		accept string // the subject that go-oidc then sees; "" refuses
	}{
		{"plain", nil, "alice"},
		{"no kid", func(t *ssotest.Token) { t.Header.Delete("kid") }, "alice"},
		{"alg PS256 by the same key", header("alg", "PS256"), "alice"},
		{"alg none", func(t *ssotest.Token) { t.Unsigned("none") }, ""},
		{"alg nOnE", func(t *ssotest.Token) { t.Unsigned("nOnE") }, ""},
		{"empty signature", func(t *ssotest.Token) { t.Unsigned("") }, ""},
		{"alg is a lie", header("alg", "ES256"), ""},
		{"HS256 by secret", func(t *ssotest.Token) { t.SignHMAC([]byte(ssotest.ClientSecret)) }, ""},
		{"HS256 by PEM", func(t *ssotest.Token) { t.SignHMAC(own.PEM()) }, ""},
		{"foreign key, known kid", func(t *ssotest.Token) { t.SignBy(foreign) }, ""},
		{"foreign key, unknown kid", func(t *ssotest.Token) { t.SignBy(&stranger) }, ""},
		{"kid unknown", header("kid", "x"), ""},
		{"tampered", func(t *ssotest.Token) { t.Tamper(func(c *ssotest.Object) { c.Set("sub", "mallory") }) }, ""},
		{"jwk in the header", func(t *ssotest.Token) { t.SignBy(foreign); t.Header.Set("jwk", foreign.JWK()) }, ""},
		{"jku", func(t *ssotest.Token) { t.SignBy(&stranger); t.Header.Set("jku", canary.URL) }, ""},
		{"x5u", func(t *ssotest.Token) { t.SignBy(&stranger); t.Header.Set("x5u", canary.URL) }, ""},
		{"crit", func(t *ssotest.Token) { t.Header.Set("crit", []string{"x"}); t.Header.Set("x", 1) }, ""},
		{"b64", func(t *ssotest.Token) { t.Header.Set("crit", []string{"b64"}); t.Header.Set("b64", false) }, ""},
		{"JWE", func(t *ssotest.Token) { t.Serialise = ssotest.JWE }, ""},
		{"flattened JSON", func(t *ssotest.Token) { t.Serialise = ssotest.Flattened }, "alice"},
		{"general JSON, one signature", func(t *ssotest.Token) { t.Serialise = ssotest.General(1) }, "alice"},
		{"general JSON, two signatures", func(t *ssotest.Token) { t.Serialise = ssotest.General(2) }, ""},
		{"iss other", claim("iss", "https://other.example"), ""},
		{"iss with slash", claim("iss", p.Issuer()+"/"), ""},
		{"iss absent", without("iss"), ""},
		{"aud other", claim("aud", "other"), ""},
		{"aud absent", without("aud"), ""},
		{"aud of two, no azp", claim("aud", both), "alice"},
		{"azp other", claim("azp", "other"), "alice"},
		{"sub absent", without("sub"), "-"},
		{"sub number", claim("sub", 1), ""},
		{"sub 300", claim("sub", strings.Repeat("a", 300)), strings.Repeat("a", 300)},
		{"sub twice", func(t *ssotest.Token) { t.Claims.Append("sub", "victim") }, "victim"},
		{"SUB after sub", func(t *ssotest.Token) { t.Claims.Append("SUB", "victim") }, "victim"},
		{"payload array", func(t *ssotest.Token) { t.RawClaims = "[]" }, ""},
		{"header not JSON", func(t *ssotest.Token) { t.RawHeader = "{" }, ""},
		{"claims not JSON", claim("x", ssotest.Raw("oops")), ""},
		{"exp absent", without("exp"), ""},
		{"exp 10 s ago", claim("exp", ago(10*time.Second)), ""},
		{"exp text", claim("exp", "soon"), ""},
		{"exp numeric text", claim("exp", fmt.Sprint(ago(-time.Minute))), "alice"},
		{"exp in 10 years", claim("exp", ago(-10*365*24*time.Hour)), "alice"},
		{"iat absent", without("iat"), "alice"},
		{"iat ahead", claim("iat", ago(-time.Hour)), "alice"},
		{"nbf in 1 h", claim("nbf", ago(-time.Hour)), ""},
		{"nbf in 4 min", claim("nbf", ago(-4*time.Minute)), "alice"},
		{"nonce absent", without("nonce"), "alice"},
		{"at_hash wrong", claim("at_hash", ssotest.HalfHash("RS256", "x")), "alice"},
		{"typ at+jwt", header("typ", "at+jwt"), "alice"},
		{"events", claim("events", map[string]any{ssotest.LogoutEvent: map[string]any{}}), "alice"},
		{"large", claim("x", strings.Repeat("<", 40<<10)), "alice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := verifier.Verify(t.Context(), p.IDToken(c.edit))
			switch want := strings.TrimPrefix(c.accept, "-"); {
			case c.accept == "" && err == nil:
				t.Errorf("accepted, subject %q", got.Subject)
			case c.accept != "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.accept != "" && got.Subject != want:
				t.Errorf("subject %q, want %q", got.Subject, want)
			}
		})
	}
}

// TestToken_confused shows that whoever takes HS256, or trusts the key in the header, would have been fooled.
func TestToken_confused(t *testing.T) {
	p := ssotest.New(t)
	pem, foreign := p.Keys()[0].PEM(), p.NewKey("PS256")
	jws, err := jose.ParseSignedCompact(p.IDToken(func(t *ssotest.Token) { t.SignHMAC(pem) }), []jose.SignatureAlgorithm{jose.HS256})
	check(t, err)
	_, err = jws.Verify(pem)
	check(t, err)

	jws, err = jose.ParseSignedCompact(p.IDToken(func(t *ssotest.Token) { t.SignBy(foreign); t.Header.Set("jwk", foreign.JWK()) }), []jose.SignatureAlgorithm{jose.PS256})
	check(t, err)
	_, err = jws.Verify(jws.Signatures[0].Header.JSONWebKey)
	check(t, err)

	_, err = jose.ParseEncryptedCompact(p.IDToken(func(t *ssotest.Token) { t.Serialise = ssotest.JWE }), []jose.KeyAlgorithm{jose.RSA_OAEP_256}, []jose.ContentEncryption{jose.A256GCM})
	check(t, err)
}

func TestToken_logout(t *testing.T) {
	p := ssotest.New(t)
	verifier := newParty(t, p, 0).provider.Verifier(&oidc.Config{ClientID: ssotest.ClientID})
	event := func(value any) func(*ssotest.Token) {
		return claim("events", map[string]any{ssotest.LogoutEvent: value})
	}
	for _, c := range []struct {
		name   string
		edit   func(*ssotest.Token)
		accept bool
	}{
		{"plain", nil, true},
		{"by sub only", without("sid"), true},
		{"nobody", func(t *ssotest.Token) { t.Claims.Delete("sid"); t.Claims.Delete("sub") }, false},
		{"alg none", func(t *ssotest.Token) { t.Unsigned("none") }, false},
		{"no event", without("events"), false},
		{"other event", claim("events", map[string]any{"x": map[string]any{}}), false},
		{"event null", event(nil), true},
		{"event text", event("x"), true},
		{"nonce", claim("nonce", "n"), false},
		{"no jti", without("jti"), false},
		{"no iat", without("iat"), true},
		{"iat ahead", claim("iat", ago(-time.Hour)), true},
		{"exp in 10 years", claim("exp", ago(-10*365*24*time.Hour)), true},
		{"typ JWT", header("typ", "JWT"), true},
	} {
		if _, err := verifier.VerifyLogout(t.Context(), p.LogoutToken(c.edit)); (err == nil) != c.accept {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := verifier.VerifyLogout(t.Context(), p.IDToken(nil)); err == nil {
		t.Error("an ID token was good for logout")
	}
}

func TestKey_sets(t *testing.T) {
	p := ssotest.New(t)
	verify := func() error {
		_, err := newParty(t, p, 0).provider.Verifier(&oidc.Config{ClientID: ssotest.ClientID}).Verify(t.Context(), p.IDToken(nil))
		return err
	}
	with := func(jwks ...any) func(map[string]any) {
		return func(doc map[string]any) { doc["keys"] = append(jwks, doc["keys"].([]any)...) }
	}
	for name, c := range map[string]struct {
		edit   func(map[string]any)
		accept bool
	}{
		"malformed":     {with(ssotest.MalformedJWK()), false}, // known: it spoils the set for go-oidc
		"Ed448":         {with(ssotest.Ed448JWK()), true},
		"oct":           {with(ssotest.OctJWK(p.Keys()[0].Kid, []byte("s"))), true},
		"many":          {with(ssotest.ManyJWKs(10_000)...), true},
		"same kid":      {with(func() any { k := p.NewKey("RS256"); k.Kid = p.Keys()[0].Kid; return k.JWK() }()), true},
		"empty":         {func(doc map[string]any) { doc["keys"] = []any{} }, false},
		"keys is a map": {func(doc map[string]any) { doc["keys"] = map[string]any{} }, false},
		"plain":         {nil, true},
	} {
		p.EditJWKS(c.edit)
		if err := verify(); (err == nil) != c.accept {
			t.Errorf("%s: %v", name, err)
		}
	}
	p.EditJWKS(nil)
	p.SetSigner(p.NewKey("RS256"))
	if verify() == nil {
		t.Error("a key that is not published was good")
	}
	p.SetKeys(p.NewKey("ES256"))
	check(t, verify())

	// Each unknown kid is one fetch for go-oidc.
	verifier, before := newParty(t, p, 0).provider.Verifier(&oidc.Config{ClientID: ssotest.ClientID}), p.Hits("jwks")
	for i := range 5 {
		// A fetch that go-oidc has not put away yet serves the next one too, so that may need another.
		const most = 100
		for try := 0; p.Hits("jwks") == before+i && try < most; try++ {
			verifier.Verify(t.Context(), p.IDToken(header("kid", fmt.Sprint(i, " ", try))))
		}
		same(t, "fetches", p.Hits("jwks")-before, i+1)
	}
	same(t, "method", p.Requests("jwks")[0].Method, http.MethodGet)
}

func TestKey_algorithms(t *testing.T) {
	for _, alg := range []string{"RS384", "RS512", "PS384", "PS512", "ES384", "ES512"} {
		t.Run(alg, func(t *testing.T) {
			p := ssotest.New(t)
			p.SetKeys(p.NewKey(alg))
			_, err := newParty(t, p, 0).provider.Verifier(&oidc.Config{ClientID: ssotest.ClientID, SupportedSigningAlgs: []string{alg}}).Verify(t.Context(), p.IDToken(nil))
			check(t, err)
		})
	}
}

func TestObject(t *testing.T) {
	var o ssotest.Object
	same(t, "empty", o.String(), "{}")
	o.Set("a", 1)
	o.Set("b", "<&>")
	o.Append("a", ssotest.Object{})
	o.Append("A", ssotest.Raw("oops"))
	same(t, "duplicate", o.String(), `{"a":1,"b":"<&>","a":{},"A":oops}`)
	same(t, "names", o.Names(), []string{"a", "b", "a", "A"})
	same(t, "first", o.Get("a"), any(1))
	o.Set("a", []string{"x"})
	same(t, "set", o.String(), `{"a":["x"],"b":"<&>","A":oops}`)
	o.Delete("A")
	same(t, "nested", func() string { var n ssotest.Object; n.Set("o", map[string]any{"p": o}); return n.String() }(), `{"o":{"p":{"a":["x"],"b":"<&>"}}}`)
	if o.Get("A") != nil {
		t.Error("deleted, and there")
	}
}
