package scim

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"usher/licensing"
	"usher/scim/schema"
	"usher/store"
	"usher/store/query"
)

// licenseResource is a license as identity providers discover it, with the numbers of its pool in an extension.
type licenseResource struct {
	Schemas     []string      `json:"schemas"`
	ID          string        `json:"id"`
	DisplayName string        `json:"displayName"`
	Type        string        `json:"type"`
	Description string        `json:"description"`
	Numbers     *poolNumbers  `json:"urn:ietf:params:scim:schemas:extension:usher:2.0:License,omitempty"`
	Meta        discoveryMeta `json:"meta"`
}

type poolNumbers struct {
	Total    int `json:"total"`
	Used     int `json:"used"`
	Active   int `json:"active"`
	Reserved int `json:"reserved"`
	Held     int `json:"held"`
	Waiting  int `json:"waiting"`
}

// catalog gives the licenses with the company's numbers, rendered. The free license has no seats and no numbers.
func (x *exchange) catalog() ([][]byte, error) {
	pools, err := x.Store.ListPools(x.ctx, x.who.Company)
	if err != nil {
		return nil, err
	}
	of := map[string]store.Pool{}
	for _, p := range pools {
		of[p.License] = p
	}
	var all [][]byte
	for _, product := range licensing.Catalog() {
		l := licenseResource{
			Schemas: []string{schema.LicenseURN}, ID: string(product.License), DisplayName: product.Name, Type: "License",
			Description: product.Description,
			Meta:        discoveryMeta{ResourceType: "License", Location: x.BaseURL + "/Licenses/" + string(product.License)},
		}
		if product.Paid {
			p := of[string(product.License)]
			l.Schemas = append(l.Schemas, schema.UsherLicense)
			l.Numbers = &poolNumbers{Total: p.Total, Used: p.Used, Active: p.Active, Reserved: p.Reserved, Held: p.Held, Waiting: p.Waiting}
		}
		raw, err := json.Marshal(l)
		if err != nil {
			return nil, fmt.Errorf("license %s: %w", product.License, err)
		}
		all = append(all, raw)
	}
	return all, nil
}

func (x *exchange) listLicenses() error { return x.list(x.licenses()) }

func (x *exchange) licenses() collection {
	return collection{x.types.License, (*exchange).findLicenses}
}

// findLicenses does with the few licenses what a store does with accounts.
func (x *exchange) findLicenses(_ context.Context, q store.Query, project *projection) (found, error) {
	all, err := x.catalog()
	if err != nil {
		return found{}, err
	}
	judge := query.Compile(q.Filter)
	f := found{total: -1}
	for i, product := range licensing.Catalog() {
		raw := rendered(all[i])
		if !judge.Match(raw) {
			continue
		}
		r := listed{id: string(product.License), size: len(raw), render: func(s *stream) error {
			seen, err := project.apply(raw)
			s.b = append(s.b, seen...)
			return err
		}}
		if q.Sort != nil {
			r.key = q.Sort.Key(raw)
		}
		f.resources = append(f.resources, r)
	}
	if q.Total {
		f.total = len(f.resources)
	}
	if q.Sort != nil {
		slices.SortStableFunc(f.resources, func(a, b listed) int { return q.Sort.Compare(a.key, b.key) })
	}
	first := 0
	if q.After != "" {
		first = 1 + slices.IndexFunc(f.resources, func(r listed) bool { return r.id == q.After })
	}
	first = min(first+q.Offset, len(f.resources))
	f.resources = f.resources[first:min(first+q.Limit, len(f.resources))]
	return f, nil
}

func (x *exchange) getLicense(id string) error {
	project, err := x.projection(x.types.License)
	if err != nil {
		return err
	}
	all, err := x.catalog()
	if err != nil {
		return err
	}
	for i, product := range licensing.Catalog() {
		if string(product.License) != id {
			continue
		}
		body, err := project.apply(all[i])
		if err != nil {
			return err
		}
		x.w.Header().Set("Content-Location", x.BaseURL+"/Licenses/"+id)
		return x.replyDocument(body)
	}
	return store.ErrNotFound
}

// rendered is a rendered resource as the judge of filters sees it: what is a column elsewhere is in the document here.
type rendered []byte

func (r rendered) Document() []byte { return r }

func (r rendered) Column(path string) []string {
	if path != store.ColumnID {
		return nil
	}
	var v struct{ ID string }
	if json.Unmarshal(r, &v) != nil {
		return nil
	}
	return []string{v.ID}
}
