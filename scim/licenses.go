package scim

import (
	"encoding/json"
	"fmt"
	"net/http"

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

// licenses gives the catalog with the company's numbers, rendered. The free license has no seats and no numbers.
func (x *exchange) licenses() ([][]byte, error) {
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

func (x *exchange) listLicenses() error {
	page, err := x.pageRequest(x.types.License)
	if err != nil {
		return err
	}
	all, err := x.licenses()
	if err != nil {
		return err
	}
	var matching [][]byte
	for _, raw := range all {
		if page.query.Filter == nil || query.Compile(page.query.Filter).Match(rendered(raw)) {
			matching = append(matching, raw)
		}
	}
	first := min(page.query.Offset, len(matching))
	shown := matching[first:min(first+page.query.Limit, len(matching))]
	b := openList(len(matching), page.start, len(shown), len(shown)*around)
	for _, raw := range shown {
		if raw, err = page.project.apply(raw); err != nil {
			return err
		}
		b = append(nextInList(b), raw...)
	}
	return x.reply(http.StatusOK, closeList(b))
}

func (x *exchange) getLicense(id string) error {
	project, err := x.projection(x.types.License)
	if err != nil {
		return err
	}
	all, err := x.licenses()
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
		return x.reply(http.StatusOK, body)
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
