package adminapi

import (
	"context"
	"fmt"
	"net/http"

	"usher/licensing"
	"usher/store"
)

// maxSeats guards against a slip of the finger.
const maxSeats = 100_000_000

func (h *Handler) listLicenses(ctx context.Context, _ call, company store.Company) (any, error) {
	shown := list[License]{Items: []License{}}
	for _, p := range licensing.Catalog() {
		if !p.Paid {
			continue
		}
		l, err := h.license(ctx, company, p.License)
		if err != nil {
			return nil, err
		}
		shown.Items = append(shown.Items, l)
	}
	return shown, nil
}

func (h *Handler) setSeats(ctx context.Context, c call, company store.Company) (any, error) {
	var in Seats
	if err := c.read(&in); err != nil {
		return nil, err
	}
	license, err := parseLicense(c.PathValue("license"))
	if err != nil {
		return nil, err
	}
	switch {
	case in.Total == nil:
		return nil, problem(http.StatusBadRequest, "total must say how many seats there are.")
	case *in.Total > maxSeats:
		return nil, problem(http.StatusBadRequest, "%d seats are more than usher counts (%d).", *in.Total, maxSeats)
	}
	if _, err := h.apply(ctx, c, company.ID, licensing.SetSeats{License: license, Total: *in.Total, OverAssign: in.OverAssign}); err != nil {
		return nil, fmt.Errorf("set seats of %s: %w", license, err)
	}
	return h.license(ctx, company, license)
}

func (h *Handler) setCeiling(ctx context.Context, c call, company store.Company) (any, error) {
	var in Ceiling
	if err := c.read(&in); err != nil {
		return nil, err
	}
	license, err := parseLicense(c.PathValue("license"))
	if err != nil {
		return nil, err
	}
	if in.Ceiling > maxSeats {
		return nil, problem(http.StatusBadRequest, "%d seats are more than usher counts (%d).", in.Ceiling, maxSeats)
	}
	if _, err := h.apply(ctx, c, company.ID, licensing.SetCeiling{License: license, Ceiling: in.Ceiling}); err != nil {
		return nil, fmt.Errorf("set ceiling of %s: %w", license, err)
	}
	return h.license(ctx, company, license)
}

func (h *Handler) license(ctx context.Context, company store.Company, l licensing.License) (License, error) {
	p, err := h.store.Pool(ctx, company.ID, string(l))
	if err != nil {
		return License{}, fmt.Errorf("pool of %s: %w", l, err)
	}
	return License{
		License: string(l), Name: l.Name(), Total: p.Total, Ceiling: p.Ceiling, Used: p.Used, Active: p.Active, Reserved: p.Reserved,
		Held: p.Held, Waiting: p.Waiting,
	}, nil
}
