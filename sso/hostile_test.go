package sso_test

import (
	"net/http"
	"testing"
	"time"

	"usher/sso/ssotest"
)

// tokenCase is an ID token that is not as it should be, or only looks so.
type tokenCase struct {
	name string
	edit func(w *world) func(*ssotest.Token)
	code string // empty: it is taken
}

// plain is an edit that needs nothing of the world.
func plain(f func(*ssotest.Token)) func(*world) func(*ssotest.Token) {
	return func(*world) func(*ssotest.Token) { return f }
}

func claim(name string, value any) func(*world) func(*ssotest.Token) {
	return plain(func(t *ssotest.Token) { t.Claims.Set(name, value) })
}

func without(names ...string) func(*world) func(*ssotest.Token) {
	return plain(func(t *ssotest.Token) {
		for _, n := range names {
			t.Claims.Delete(n)
		}
	})
}

func header(name string, value any) func(*world) func(*ssotest.Token) {
	return plain(func(t *ssotest.Token) { t.Header.Set(name, value) })
}

// at is a time relative to now, as a NumericDate.
func at(name string, d time.Duration) func(*world) func(*ssotest.Token) {
	return func(w *world) func(*ssotest.Token) {
		return func(t *ssotest.Token) { t.Claims.Set(name, w.now().Add(d).Unix()) }
	}
}

func tokenCases() []tokenCase {
	long := make([]byte, 300)
	for i := range long {
		long[i] = 'x'
	}
	return []tokenCase{
		{"H02 iss other", claim("iss", "https://evil.example"), "idp_token_invalid.iss"},
		{"H02 iss trailing slash", func(w *world) func(*ssotest.Token) {
			return func(t *ssotest.Token) { t.Claims.Set("iss", w.idp.Issuer()+"/") }
		}, "idp_token_invalid.iss"},
		{"H02 iss absent", without("iss"), "idp_token_invalid.iss"},
		{"H03 sub absent", without("sub"), "idp_token_invalid.sub"},
		{"H03 sub empty", claim("sub", ""), "idp_token_invalid.sub"},
		{"H03 sub number", claim("sub", 7), "idp_token_invalid.sub"},
		{"H03 sub 300 characters", claim("sub", string(long)), "idp_token_invalid.sub"},
		{"H04 aud other", claim("aud", "other"), "idp_token_invalid.aud"},
		{"H04 aud absent", without("aud"), "idp_token_invalid.aud"},
		{"H04 aud case variant", claim("aud", "ACME-CLIENT"), "idp_token_invalid.aud"},
		{"H05 two aud without azp", claim("aud", []any{ssotest.ClientID, "other"}), "idp_token_invalid.azp"},
		{"H05 two aud, azp other", plain(func(t *ssotest.Token) {
			t.Claims.Set("aud", []any{ssotest.ClientID, "other"})
			t.Claims.Set("azp", "other")
		}), "idp_token_invalid.azp"},
		{"H05 one aud, azp other", claim("azp", "other"), "idp_token_invalid.azp"},
		{"H05 azp number", claim("azp", 1), "idp_token_invalid.azp"},
		{"H05 two aud, azp client", plain(func(t *ssotest.Token) {
			t.Claims.Set("aud", []any{ssotest.ClientID, "other"})
			t.Claims.Set("azp", ssotest.ClientID)
		}), ""},
		{"H06 iat absent", without("iat"), "idp_token_invalid.iat"},
		{"H06 iat in an hour", at("iat", time.Hour), "idp_token_invalid.iat"},
		{"H06 iat a day ago", at("iat", -24*time.Hour), "idp_token_invalid.iat"},
		{"H06 iat in 30 s", at("iat", 30*time.Second), ""},
		{"H06 iat text", claim("iat", "1"), "idp_token_invalid.iat"},
		{"H07 exp absent", without("exp"), "idp_token_invalid.exp"},
		{"H07 exp 10 min ago", at("exp", -10*time.Minute), "idp_token_invalid.exp"},
		{"H07 exp 10 s ago", at("exp", -10*time.Second), ""},
		{"H07 exp text", claim("exp", "soon"), "idp_token_invalid.exp"},
		{"H07 exp numeric text", func(w *world) func(*ssotest.Token) {
			return func(t *ssotest.Token) { t.Claims.Set("exp", w.now().Add(time.Hour).Format("20060102")) }
		}, "idp_token_invalid.exp"},
		{"H07 exp in 10 years", at("exp", 10*365*24*time.Hour), "idp_token_invalid.exp"},
		{"H08 nbf in an hour", at("nbf", time.Hour), "idp_token_invalid.nbf"},
		{"H08 nbf in 4 min", at("nbf", 4*time.Minute), "idp_token_invalid.nbf"},
		{"H08 nbf in 30 s", at("nbf", 30*time.Second), ""},
		{"H09 no kid, one key", plain(func(t *ssotest.Token) { t.Header.Delete("kid") }), ""},
		{"H11 alg none", plain(func(t *ssotest.Token) { t.Unsigned("none") }), "idp_token_invalid.alg"},
		{"H11 alg nOnE", plain(func(t *ssotest.Token) { t.Unsigned("nOnE") }), "idp_token_invalid.alg"},
		{"H11 empty signature", plain(func(t *ssotest.Token) { t.Unsigned("") }), "idp_token_invalid.sig"},
		{"H12 tampered", plain(func(t *ssotest.Token) { t.Tamper(func(c *ssotest.Object) { c.Set("sub", "bob") }) }), "idp_token_invalid.sig"},
		{"H12 foreign key, known kid", func(w *world) func(*ssotest.Token) {
			k := w.idp.NewKey("RS256")
			k.Kid = w.idp.Keys()[0].Kid
			return func(t *ssotest.Token) { t.SignBy(k) }
		}, "idp_token_invalid.sig"},
		{"H12 foreign key, unknown kid", func(w *world) func(*ssotest.Token) {
			k := w.idp.NewKey("RS256")
			return func(t *ssotest.Token) { t.SignBy(k) }
		}, "idp_token_invalid.sig"},
		{"H12 HS256 with the secret", plain(func(t *ssotest.Token) { t.SignHMAC([]byte(ssotest.ClientSecret)) }), "idp_token_invalid.alg"},
		{"H12 HS256 with the public key", func(w *world) func(*ssotest.Token) {
			return func(t *ssotest.Token) { t.SignHMAC(w.idp.Keys()[0].PEM()) }
		}, "idp_token_invalid.alg"},
		{"H12 HS256 with an oct key", func(w *world) func(*ssotest.Token) {
			w.idp.EditJWKS(func(doc map[string]any) {
				doc["keys"] = append(doc["keys"].([]any), ssotest.OctJWK("oct", []byte("known to all")))
			})
			return func(t *ssotest.Token) {
				t.SignHMAC([]byte("known to all"))
				t.Header.Set("kid", "oct")
			}
		}, "idp_token_invalid.alg"},
		{"H13 jwk", func(w *world) func(*ssotest.Token) {
			k := w.idp.NewKey("RS256")
			return func(t *ssotest.Token) {
				t.SignBy(k)
				t.Header.Set("jwk", k.JWK())
			}
		}, "idp_token_invalid.header"},
		{"H13 jku", func(w *world) func(*ssotest.Token) {
			canary := ssotest.Canary(w.t)
			return func(t *ssotest.Token) { t.Header.Set("jku", canary.URL) }
		}, "idp_token_invalid.header"},
		{"H13 x5u", func(w *world) func(*ssotest.Token) {
			canary := ssotest.Canary(w.t)
			return func(t *ssotest.Token) { t.Header.Set("x5u", canary.URL) }
		}, "idp_token_invalid.header"},
		{"H13 crit", plain(func(t *ssotest.Token) {
			t.Header.Set("crit", []any{"urn:x"})
			t.Header.Set("urn:x", true)
		}), "idp_token_invalid.header"},
		{"H13 b64", plain(func(t *ssotest.Token) {
			t.Header.Set("crit", []any{"b64"})
			t.Header.Set("b64", false)
		}), "idp_token_invalid.header"},
		{"H14 JWE", plain(func(t *ssotest.Token) { t.Serialise = ssotest.JWE }), "idp_token_invalid.format"},
		{"H14 JSON, one signature", plain(func(t *ssotest.Token) { t.Serialise = ssotest.Flattened }), "idp_token_invalid.format"},
		{"H14 JSON, two signatures", plain(func(t *ssotest.Token) { t.Serialise = ssotest.General(2) }), "idp_token_invalid.format"},
		{"H14 more than 32 KiB", claim("padding", string(make([]byte, 40<<10))), "idp_token_invalid.format"},
		{"H15 sub twice", plain(func(t *ssotest.Token) { t.Claims.Append("sub", "bob") }), "idp_token_invalid.format"},
		{"H15 SUB", plain(func(t *ssotest.Token) { t.Claims.Append("SUB", "bob") }), "idp_token_invalid.format"},
		{"H15 array", plain(func(t *ssotest.Token) { t.RawClaims = `["sub"]` }), "idp_token_invalid.format"},
		{"H15 alg twice", plain(func(t *ssotest.Token) { t.Header.Append("Alg", "none") }), "idp_token_invalid.format"},
		{"H16 typ at+jwt", header("typ", "at+jwt"), "idp_token_invalid.typ"},
		{"H16 typ number", header("typ", 1), "idp_token_invalid.typ"},
		{"H16 events", claim("events", map[string]any{}), "idp_token_invalid.typ"},
		{"H16 typ absent", plain(func(t *ssotest.Token) { t.Header.Delete("typ") }), ""},
		{"H17 nonce other", claim("nonce", "other"), "idp_token_invalid.nonce"},
		{"H17 nonce absent", without("nonce"), "idp_token_invalid.nonce"},
		{"H17 nonce empty", claim("nonce", ""), "idp_token_invalid.nonce"},
		{"H17 nonce of another sign-in", func(w *world) func(*ssotest.Token) {
			other := w.idp.Authorize(w.browser().begin(), alice)
			return func(t *ssotest.Token) { t.Claims.Set("nonce", w.idp.Nonce(other.Values.Get("code"))) }
		}, "idp_token_invalid.nonce"},
		{"H18 at_hash wrong", claim("at_hash", ssotest.HalfHash("RS256", "another")), "idp_token_invalid.at_hash"},
		{"H18 at_hash number", claim("at_hash", 1), "idp_token_invalid.at_hash"},
		{"H18 c_hash wrong", claim("c_hash", ssotest.HalfHash("RS256", "another")), "idp_token_invalid.c_hash"},
		{"H18 at_hash absent", without("at_hash"), ""},
		{"H43 both clocks apart by 10 min", func(w *world) func(*ssotest.Token) {
			return func(t *ssotest.Token) {
				t.Claims.Set("iat", w.now().Add(10*time.Minute).Unix())
				t.Claims.Set("exp", w.now().Add(15*time.Minute).Unix())
			}
		}, "clock_skew"},
	}
}

func TestHostileTokens(t *testing.T) {
	for _, tt := range tokenCases() {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.idp.EditToken(tt.edit(w))
			b := w.browser()
			a := b.signIn(alice)
			switch {
			case tt.code == "":
				b.wantIn(tt.name, a)
			case tt.code == "clock_skew":
				b.wantRefused(tt.name, a, http.StatusBadRequest, tt.code)
			default:
				b.wantRefused(tt.name, a, http.StatusBadRequest, tt.code)
			}
			if n := w.idp.Hits("token"); n != 1 {
				t.Errorf("%d token requests, want one", n)
			}
		})
	}
}

// TestH01: a sign-in that is as it should be, by every algorithm and in the shapes of different providers.
func TestH01(t *testing.T) {
	for _, alg := range []string{"RS256", "ES256", "PS256", "EdDSA"} {
		for name, full := range map[string]bool{"bare": false, "with hashes": true} {
			t.Run(alg+" "+name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.idp.SetKeys(w.idp.NewKey(alg))
				w.idp.FullHashes(full)
				b := w.browser()
				b.wantIn(alg, b.signIn(alice))
				if got := w.account("alice"); got.Identity.Subject != "alice" || got.SeatState != "active" {
					t.Errorf("identity %+v, seat %s", got.Identity, got.SeatState)
				}
			})
		}
	}
}
