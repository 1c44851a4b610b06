package practiceidp

import (
	"encoding/json"
	"log/slog"
	"net/http"

	"github.com/go-jose/go-jose/v4"
)

// metadata is what OpenID Connect Discovery 1.0 and RFC 8414 let a provider say about itself.
type metadata struct {
	Issuer               string   `json:"issuer"`
	Authorization        string   `json:"authorization_endpoint"`
	Token                string   `json:"token_endpoint"`
	EndSession           string   `json:"end_session_endpoint"`
	Keys                 string   `json:"jwks_uri"`
	Scopes               []string `json:"scopes_supported"`
	Claims               []string `json:"claims_supported"`
	ResponseTypes        []string `json:"response_types_supported"`
	ResponseModes        []string `json:"response_modes_supported"`
	GrantTypes           []string `json:"grant_types_supported"`
	SubjectTypes         []string `json:"subject_types_supported"`
	Algorithms           []string `json:"id_token_signing_alg_values_supported"`
	ClientAuthentication []string `json:"token_endpoint_auth_methods_supported"`
	CodeChallengeMethods []string `json:"code_challenge_methods_supported"`
	IssuerInResponse     bool     `json:"authorization_response_iss_parameter_supported"`
	RequestParameter     bool     `json:"request_parameter_supported"`
	RequestURIParameter  bool     `json:"request_uri_parameter_supported"` // true when left out
	ClaimsParameter      bool     `json:"claims_parameter_supported"`
}

func scopes() []string { return []string{"openid", "profile", "email"} }

func (h *Handler) discovery(w http.ResponseWriter, r *http.Request) {
	h.json(w, r, http.StatusOK, metadata{
		Issuer:        h.config.Issuer,
		Authorization: h.config.Issuer + pathAuthorize,
		Token:         h.config.Issuer + pathToken,
		EndSession:    h.config.Issuer + pathLogout,
		Keys:          h.config.Issuer + pathKeys,
		Scopes:        scopes(),
		Claims: []string{"iss", "sub", "aud", "exp", "iat", "nonce", "auth_time", "at_hash",
			"name", "email", "preferred_username"},
		ResponseTypes:        []string{"code"},
		ResponseModes:        []string{modeQuery, modeForm},
		GrantTypes:           []string{"authorization_code"},
		SubjectTypes:         []string{"public"},
		Algorithms:           []string{string(jose.ES256)},
		ClientAuthentication: []string{"client_secret_basic", "client_secret_post"},
		CodeChallengeMethods: []string{"S256"},
		IssuerInResponse:     true,
	})
}

func (h *Handler) keys(w http.ResponseWriter, r *http.Request) {
	h.json(w, r, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{h.key.public}})
}

// json writes an answer to a program.
func (h *Handler) json(w http.ResponseWriter, r *http.Request, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil { // the bodies are plain, so it is the reader who has gone
		h.config.Logger.LogAttrs(r.Context(), slog.LevelDebug, "an answer was not sent", slog.String("error", err.Error()))
	}
}
