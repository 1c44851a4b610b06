package practiceidp

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
)

// tokens is the answer of the token endpoint.
type tokens struct {
	Access    string `json:"access_token"`
	Type      string `json:"token_type"`
	ExpiresIn int    `json:"expires_in"`
	Scope     string `json:"scope"`
	ID        string `json:"id_token"`
}

// token exchanges a code.
func (h *Handler) token(w http.ResponseWriter, r *http.Request) {
	answer, err := h.exchange(r)
	var no *refusal
	switch {
	case err == nil:
		h.json(w, r, http.StatusOK, answer)
		return
	case !errors.As(err, &no):
		h.config.Logger.LogAttrs(r.Context(), slog.LevelError, "no token could be made", slog.String("error", err.Error()))
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	status := http.StatusBadRequest
	if no.code == "invalid_client" {
		status = http.StatusUnauthorized
		w.Header().Set("WWW-Authenticate", `Basic realm="practice identity provider"`)
	}
	h.json(w, r, status, map[string]string{"error": no.code, "error_description": no.text})
}

func (h *Handler) exchange(r *http.Request) (tokens, error) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/x-www-form-urlencoded" {
		return tokens{}, &refusal{"invalid_request", "the body must be application/x-www-form-urlencoded"}
	}
	if err := r.ParseForm(); err != nil {
		return tokens{}, &refusal{"invalid_request", "the form cannot be read"}
	}
	form := r.PostForm
	for _, name := range []string{"client_id", "client_secret", "grant_type", "code", "redirect_uri", "code_verifier"} {
		if len(form[name]) > 1 {
			return tokens{}, &refusal{"invalid_request", name + " is there more than once"}
		}
	}
	if err := h.authenticate(r, form); err != nil {
		return tokens{}, err
	}
	switch {
	case form.Get("grant_type") == "":
		return tokens{}, &refusal{"invalid_request", "grant_type is missing"}
	case form.Get("grant_type") != "authorization_code":
		return tokens{}, &refusal{"unsupported_grant_type", "grant_type must be authorization_code"}
	}
	for _, name := range []string{"code", "redirect_uri", "code_verifier"} {
		if form.Get(name) == "" {
			return tokens{}, &refusal{"invalid_request", name + " is missing"}
		}
	}
	g, ok := h.codes.take(form.Get("code"), h.config.Clock()) // used up by a failed attempt too: whoever made it should not have a second
	switch {
	case !ok:
		return tokens{}, &refusal{"invalid_grant", "the code is unknown, used or expired"}
	case g.redirectURI != form.Get("redirect_uri"):
		return tokens{}, &refusal{"invalid_grant", "redirect_uri is not that of the code"}
	case !verifies(form.Get("code_verifier"), g.challenge):
		return tokens{}, &refusal{"invalid_grant", "code_verifier does not fit"}
	}
	access := rand.Text()
	id, err := h.idToken(g, access)
	if err != nil {
		return tokens{}, fmt.Errorf("id token: %w", err)
	}
	return tokens{Access: access, Type: "Bearer", ExpiresIn: int(tokenLife.Seconds()), Scope: g.scope, ID: id}, nil
}

// authenticate checks that it is the client who asks.
func (h *Handler) authenticate(r *http.Request, form url.Values) error {
	id, secret, basic := r.BasicAuth()
	if basic {
		var wrongID, wrongSecret error
		id, wrongID = url.QueryUnescape(id) // RFC 6749, 2.3.1: both are form-encoded before they are put together
		secret, wrongSecret = url.QueryUnescape(secret)
		switch {
		case wrongID != nil || wrongSecret != nil:
			return &refusal{"invalid_client", "the credentials are not form-encoded"}
		case form.Has("client_secret"):
			return &refusal{"invalid_request", "the client authenticates in two ways"}
		case form.Has("client_id") && form.Get("client_id") != id:
			return &refusal{"invalid_request", "client_id is not that of the header"}
		}
	} else if r.Header.Get("Authorization") != "" {
		return &refusal{"invalid_client", "the header Authorization cannot be read"}
	} else {
		id, secret = form.Get("client_id"), form.Get("client_secret")
	}
	if same(id, h.config.ClientID)&same(secret, h.config.ClientSecret) != 1 {
		return &refusal{"invalid_client", "the client is not known or the secret is wrong"}
	}
	return nil
}

// same compares in a time that says nothing about where the strings differ, or how long they are.
func same(a, b string) int {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:])
}

// verifies is the check of RFC 7636, 4.6, for S256.
func verifies(verifier, challenge string) bool {
	if len(verifier) < 43 || len(verifier) > 128 {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return same(base64.RawURLEncoding.EncodeToString(sum[:]), challenge) == 1
}
