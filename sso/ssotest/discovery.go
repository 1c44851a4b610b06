package ssotest

import (
	"encoding/json"
	"net/http"
)

func (p *IdP) serveDiscovery(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, p.discovery())
}

func (p *IdP) discovery() map[string]any {
	methods, par, parOnly := get(p, &p.methods), get(p, &p.par), get(p, &p.parOnly)
	doc := map[string]any{
		"issuer":                                           p.Issuer(),
		"authorization_endpoint":                           p.URL("authorize"),
		"token_endpoint":                                   p.URL("token"),
		"userinfo_endpoint":                                p.URL("userinfo"),
		"jwks_uri":                                         p.URL("jwks"),
		"end_session_endpoint":                             p.URL("end_session"),
		"response_types_supported":                         list("code"),
		"response_modes_supported":                         list("query", "form_post"),
		"grant_types_supported":                            list("authorization_code", "refresh_token"),
		"subject_types_supported":                          list("public"),
		"scopes_supported":                                 list("openid", "profile", "email", "offline_access"),
		"claims_supported":                                 list("sub", "name", "email", "email_verified", "oid", "tid", "sid"),
		"id_token_signing_alg_values_supported":            list("RS256", "PS256", "ES256", "EdDSA"),
		"token_endpoint_auth_methods_supported":            list(methods...),
		"token_endpoint_auth_signing_alg_values_supported": list("RS256", "PS256", "ES256", "EdDSA"),
		"code_challenge_methods_supported":                 list("S256"),
		"authorization_response_iss_parameter_supported":   true,
		"backchannel_logout_supported":                     true,
		"backchannel_logout_session_supported":             true,
	}
	if par {
		doc["pushed_authorization_request_endpoint"] = p.URL("par")
		doc["require_pushed_authorization_requests"] = parOnly
	}
	return edited(p, &p.editDiscovery, doc)
}

func (p *IdP) serveJWKS(w http.ResponseWriter, _ *http.Request) {
	keys := []any{}
	for _, k := range p.Keys() {
		keys = append(keys, k.JWK())
	}
	writeJSON(w, http.StatusOK, edited(p, &p.editJWKS, map[string]any{"keys": keys}))
}

// list is of the type that encoding/json gives, so that functions that edit meet one type only.
func list(values ...string) []any {
	l := make([]any, len(values))
	for i, v := range values {
		l[i] = v
	}
	return l
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic("ssotest: " + err.Error())
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(body)
}
