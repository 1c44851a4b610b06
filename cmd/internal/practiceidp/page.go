package practiceidp

import (
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// page is what a page shows.
type page struct {
	Nonce, Title string
	Hint         string // what to do, when there is no form
	Wrong        string // what was wrong with the last choice

	Choose bool // show the people
	Send   bool // show the form that leads back, and send it
	Action string
	Back   string // the host of the relying party
	Fields []field
	People []choice
}

// field is a hidden field of a form.
type field struct{ Name, Value string }

// choice is a person as the page shows them.
type choice struct {
	Person
	Title   string
	Details []string
	Hinted  bool // the relying party expects this person
}

func (h *Handler) show(w http.ResponseWriter, r *http.Request, status int, p page) {
	p.Nonce = rand.Text()
	policy := "default-src 'none'; style-src 'nonce-" + p.Nonce + "'; base-uri 'none'; frame-ancestors 'none'; form-action "
	switch {
	case p.Choose:
		policy += "'self' " + h.targets // Chromium applies form-action to the redirect that answers the form, too
	case p.Send:
		policy += h.targets + "; script-src 'nonce-" + p.Nonce + "'"
	default:
		policy += "'none'"
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", policy)
	w.WriteHeader(status)
	if err := h.pages.ExecuteTemplate(w, "page.html", p); err != nil { // the templates are tested, so it is the reader who has gone
		h.config.Logger.LogAttrs(r.Context(), slog.LevelDebug, "a page was not sent", slog.String("error", err.Error()))
	}
}

// targets gives the origins of addresses as sources of a content security policy.
func targets(uris []string) string {
	var sources []string
	for _, uri := range uris {
		u, err := url.Parse(uri)
		if err != nil {
			continue // [New] has read them all before
		}
		source := u.Scheme + "://" + u.Host
		if strings.ContainsFunc(u.Host, notInSource) {
			source = u.Scheme + ":" // a policy cannot name such a host, an IPv6 address for one
		}
		if !slices.Contains(sources, source) {
			sources = append(sources, source)
		}
	}
	return strings.Join(sources, " ")
}

func notInSource(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '.' || r == ':')
}

// host gives the host of an address, to be shown.
func host(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return uri
	}
	return u.Host
}
