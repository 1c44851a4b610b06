package practiceidp

import (
	"net/http"
	"net/url"
	"slices"
)

// logout is the end of RP-initiated logout. Nobody is ever signed in here, so there is nothing to ask about and nothing to end.
func (h *Handler) logout(w http.ResponseWriter, r *http.Request) {
	form, err := values(r)
	if err != nil {
		h.unreadable(w, r)
		return
	}
	if hint := form.Get("id_token_hint"); hint != "" {
		if c, err := h.key.open(hint); err != nil || c.Issuer != h.config.Issuer || c.Audience != h.config.ClientID {
			h.show(w, r, http.StatusBadRequest, page{
				Title: "You are signed out here.",
				Hint:  "The application sent a token (id_token_hint) that is not from here, so you are not sent back to it.",
			})
			return
		}
	}
	uri := form.Get("post_logout_redirect_uri")
	ours := !form.Has("client_id") || form.Get("client_id") == h.config.ClientID
	if !ours || len(form["post_logout_redirect_uri"]) != 1 || !slices.Contains(h.config.LogoutURIs, uri) {
		h.show(w, r, http.StatusOK, page{Title: "You are signed out.", Hint: "You can close this page."})
		return
	}
	v := url.Values{}
	if state := form.Get("state"); state != "" {
		v.Set("state", state)
	}
	http.Redirect(w, r, extend(uri, v), http.StatusSeeOther)
}
