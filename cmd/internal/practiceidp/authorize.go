package practiceidp

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// The fields that the page's form has besides the request's own parameters.
const (
	fieldSubject = "subject"
	fieldRefuse  = "refuse"
)

// authorize shows the page, and takes the choice made there.
func (h *Handler) authorize(w http.ResponseWriter, r *http.Request) {
	form, err := values(r)
	if err != nil {
		h.unreadable(w, r)
		return
	}
	req, err := h.request(form)
	var no *refusal
	switch {
	case errors.As(err, &no):
		h.refuse(w, r, req, no)
		return
	case err != nil:
		h.show(w, r, http.StatusBadRequest, page{Title: "This sign-in cannot go on.", Hint: err.Error()})
		return
	}
	decided := r.Method == http.MethodPost && fromHere(r)
	if decided && form.Get(fieldRefuse) != "" {
		h.refuse(w, r, req, &refusal{"access_denied", "the person refused"})
		return
	}
	people, err := h.config.People(r.Context())
	if err != nil {
		h.config.Logger.LogAttrs(r.Context(), slog.LevelError, "the people could not be listed", slog.String("error", err.Error()))
		h.refuse(w, r, req, &refusal{"server_error", "the people could not be listed"})
		return
	}
	subject := form.Get(fieldSubject)
	if !decided || subject == "" {
		h.ask(w, r, req, form, people, "")
		return
	}
	i := slices.IndexFunc(people, func(p Person) bool { return p.Subject == subject })
	if i < 0 {
		h.ask(w, r, req, form, people, "That person is not here any more. Choose somebody else.")
		return
	}
	now := h.config.Clock()
	code := h.codes.put(grant{
		person: people[i], chosen: now, redirectURI: req.redirectURI, challenge: req.challenge, nonce: req.nonce, scope: req.scope,
	}, now)
	h.answer(w, r, req, url.Values{"code": {code}})
}

// fromHere is whether a form was sent by the page itself. A relying party may send its request as a form too, but a choice in it does not
// count: the page is shown instead. The header Origin would not do, as it is "null" under the page's referrer policy.
func fromHere(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none", "": // empty: not a browser, or one over plain HTTP to another machine
		return true
	}
	return false
}

// ask shows whom one can be.
func (h *Handler) ask(w http.ResponseWriter, r *http.Request, req request, form url.Values, people []Person, wrong string) {
	p := page{Title: "Who are you?", Action: pathAuthorize, Wrong: wrong, Choose: true, Back: host(req.redirectURI)}
	for _, name := range carried() {
		if value := form.Get(name); value != "" {
			p.Fields = append(p.Fields, field{name, value})
		}
	}
	for _, person := range people {
		if person.Subject == "" {
			continue
		}
		c := choice{Person: person, Title: cmp.Or(person.Name, person.UserName, person.Email, person.Subject)}
		for _, detail := range []string{person.UserName, person.Email} {
			if detail != "" && detail != c.Title && !slices.Contains(c.Details, detail) {
				c.Details = append(c.Details, detail)
			}
			c.Hinted = c.Hinted || detail != "" && strings.EqualFold(detail, req.hint)
		}
		p.People = append(p.People, c)
	}
	slices.SortStableFunc(p.People, func(a, b choice) int {
		switch {
		case a.Hinted == b.Hinted:
			return 0
		case a.Hinted:
			return -1
		}
		return 1
	})
	status := http.StatusOK
	if wrong != "" {
		status = http.StatusUnprocessableEntity
	}
	h.show(w, r, status, p)
}

// refuse tells the relying party why there is no code.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, req request, no *refusal) {
	h.answer(w, r, req, url.Values{"error": {no.code}, "error_description": {no.text}})
}

// answer sends the browser back to the relying party.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, req request, v url.Values) {
	v.Set("iss", h.config.Issuer)
	if req.state != "" {
		v.Set("state", req.state)
	}
	if req.mode == modeQuery {
		http.Redirect(w, r, extend(req.redirectURI, v), http.StatusSeeOther)
		return
	}
	p := page{Title: "Going back to " + host(req.redirectURI), Action: req.redirectURI, Back: host(req.redirectURI), Send: true}
	for _, name := range []string{"code", "error", "error_description", "state", "iss"} {
		if v.Has(name) {
			p.Fields = append(p.Fields, field{name, v.Get(name)})
		}
	}
	h.show(w, r, http.StatusOK, p)
}

func (h *Handler) unreadable(w http.ResponseWriter, r *http.Request) {
	h.show(w, r, http.StatusBadRequest, page{
		Title: "This request cannot be read.",
		Hint:  "It is malformed or too long. Begin again at the application.",
	})
}

// extend adds parameters to an address, which has no fragment, and leaves its own query as it is.
func extend(uri string, v url.Values) string {
	switch {
	case len(v) == 0:
		return uri
	case !strings.Contains(uri, "?"):
		return uri + "?" + v.Encode()
	case strings.HasSuffix(uri, "?"), strings.HasSuffix(uri, "&"):
		return uri + v.Encode()
	}
	return uri + "&" + v.Encode()
}
