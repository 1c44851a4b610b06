package practiceidp

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
)

// The response modes.
const (
	modeQuery = "query"
	modeForm  = "form_post"
)

// carried are the parameters of an authorization request that count here. The page's form sends them again.
func carried() []string {
	return []string{
		"client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce",
		"code_challenge", "code_challenge_method", "prompt", "login_hint",
	}
}

// request is an authorization request that may be answered at its redirect URI.
type request struct {
	redirectURI string
	mode        string
	state       string
	nonce       string
	challenge   string
	scope       string
	hint        string
}

// foreign is the error of a request that does not come from the client. Its answer is a page: a redirect would lead a person to a stranger.
type foreign string

func (e foreign) Error() string { return string(e) }

// refusal is an error as RFC 6749, 4.1.2.1 and 5.2, has it. The text is for developers.
type refusal struct{ code, text string }

func (e *refusal) Error() string { return e.code + ": " + e.text }

// request reads an authorization request. With a refusal it gives as much of the request as is needed to answer it.
func (h *Handler) request(v url.Values) (request, error) {
	switch {
	case len(v["client_id"]) != 1 || v.Get("client_id") != h.config.ClientID:
		return request{}, foreign("The application that sent you here (client_id) is not known.")
	case len(v["redirect_uri"]) != 1 || !slices.Contains(h.config.RedirectURIs, v.Get("redirect_uri")):
		return request{}, foreign("The address to send you back to (redirect_uri) is not one of the application's.")
	}
	req := request{
		redirectURI: v.Get("redirect_uri"),
		mode:        modeQuery,
		nonce:       v.Get("nonce"),
		challenge:   v.Get("code_challenge"),
		hint:        v.Get("login_hint"),
	}
	if len(v["state"]) == 1 && isVisible(v.Get("state")) {
		req.state = v.Get("state")
	}
	if v.Get("response_mode") == modeForm {
		req.mode = modeForm
	}
	asked := strings.Fields(v.Get("scope"))
	granted := slices.DeleteFunc(scopes(), func(s string) bool { return !slices.Contains(asked, s) })
	req.scope = strings.Join(granted, " ")
	for _, name := range carried() {
		if len(v[name]) > 1 {
			return req, &refusal{"invalid_request", name + " is there more than once"}
		}
	}
	prompt := strings.Fields(v.Get("prompt"))
	silent := slices.Contains(prompt, "none")
	switch {
	case v.Get("request") != "":
		return req, &refusal{"request_not_supported", "request objects are not supported"}
	case v.Get("request_uri") != "":
		return req, &refusal{"request_uri_not_supported", "request objects are not supported"}
	case v.Get("response_type") == "":
		return req, &refusal{"invalid_request", "response_type is missing"}
	case v.Get("response_type") != "code":
		return req, &refusal{"unsupported_response_type", "response_type must be code"}
	case !slices.Contains([]string{"", modeQuery, modeForm}, v.Get("response_mode")):
		return req, &refusal{"invalid_request", "response_mode must be query or form_post"}
	case !slices.Contains(granted, "openid"):
		return req, &refusal{"invalid_scope", "scope must contain openid"}
	case req.state == "":
		return req, &refusal{"invalid_request", "state is missing or not visible ASCII"}
	case req.nonce == "":
		return req, &refusal{"invalid_request", "nonce is missing"}
	case v.Get("code_challenge_method") != "S256":
		return req, &refusal{"invalid_request", "code_challenge_method must be S256"}
	case !isDigest(req.challenge):
		return req, &refusal{"invalid_request", "code_challenge must be a base64url SHA-256 digest"}
	case silent && len(prompt) > 1:
		return req, &refusal{"invalid_request", "prompt has none and something else"}
	case silent: // nobody is ever signed in here
		return req, &refusal{"login_required", "a person must choose"}
	}
	return req, nil
}

// isVisible is what RFC 6749, A.5, lets a state be. Others would not come back from a form as they went in.
func isVisible(state string) bool {
	return !strings.ContainsFunc(state, func(r rune) bool { return r < ' ' || r > '~' })
}

func isDigest(challenge string) bool {
	sum, err := base64.RawURLEncoding.Strict().DecodeString(challenge)
	return err == nil && len(sum) == 32 && !strings.ContainsAny(challenge, "\r\n") // which the decoder skips
}
