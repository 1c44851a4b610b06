package scim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"usher/scim/schema"
)

// discovery holds the documents of RFC 7644 section 4, rendered once.
type discovery struct {
	config        []byte
	schemas       []document
	resourceTypes []document
}

// document is one resource of a discovery endpoint.
type document struct {
	id   string
	body []byte
}

type discoveryMeta struct {
	ResourceType string `json:"resourceType"`
	Location     string `json:"location"`
}

func newDiscovery(c Config) (discovery, error) {
	var d discovery
	var err error
	if d.config, err = json.Marshal(serviceProviderConfig(c)); err != nil {
		return d, err
	}
	for _, s := range c.Registry.Schemas() {
		meta, err := json.Marshal(discoveryMeta{"Schema", c.BaseURL + "/Schemas/" + s.URN})
		if err != nil {
			return d, err
		}
		body := s.JSON()
		body = fmt.Appendf(body[:len(body)-1:len(body)-1], `,"meta":%s}`, meta)
		d.schemas = append(d.schemas, document{s.URN, body})
	}
	for _, rt := range c.Registry.ResourceTypes() {
		body, err := json.Marshal(resourceType(c, rt))
		if err != nil {
			return d, err
		}
		d.resourceTypes = append(d.resourceTypes, document{rt.Name, body})
	}
	return d, nil
}

type supported struct {
	Supported bool `json:"supported"`
}

// serviceProviderConfig says what is served (RFC 7643 section 5).
func serviceProviderConfig(c Config) any {
	type bulk struct {
		supported
		MaxOperations  int   `json:"maxOperations"`
		MaxPayloadSize int64 `json:"maxPayloadSize"`
	}
	type filters struct {
		supported
		MaxResults int `json:"maxResults"`
	}
	type pagination struct {
		Cursor  bool   `json:"cursor"`
		Index   bool   `json:"index"`
		Default string `json:"defaultPaginationMethod"`
		Size    int    `json:"defaultPageSize"`
		Most    int    `json:"maxPageSize"`
		Timeout int    `json:"cursorTimeout"` // seconds
	}
	type scheme struct {
		Type        string `json:"type"`
		Name        string `json:"name"`
		Description string `json:"description"`
		SpecURI     string `json:"specUri"`
		Primary     bool   `json:"primary"`
	}
	return struct {
		Schemas        []string      `json:"schemas"`
		Patch          supported     `json:"patch"`
		Bulk           bulk          `json:"bulk"`
		Filter         filters       `json:"filter"`
		ChangePassword supported     `json:"changePassword"`
		Sort           supported     `json:"sort"`
		ETag           supported     `json:"etag"`
		Pagination     pagination    `json:"pagination"`
		Schemes        []scheme      `json:"authenticationSchemes"`
		Meta           discoveryMeta `json:"meta"`
	}{
		Schemas: []string{"urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"},
		Patch:   supported{true},
		Bulk:    bulk{supported{true}, c.Limits.BulkOperations, c.Limits.GroupBody},
		Filter:  filters{supported{true}, c.Limits.Page},
		Sort:    supported{true},
		ETag:    supported{true},
		Pagination: pagination{
			Cursor: true, Index: true, Default: "index", Size: c.Limits.PageSize, Most: c.Limits.Page,
			Timeout: int(c.Limits.CursorTimeout / time.Second),
		},
		Schemes: []scheme{{
			Type: "oauthbearertoken", Name: "OAuth Bearer Token", Primary: true, SpecURI: "https://www.rfc-editor.org/info/rfc6750",
			Description: "A bearer token of the company's connection, in the Authorization header.",
		}},
		Meta: discoveryMeta{"ServiceProviderConfig", c.BaseURL + "/ServiceProviderConfig"},
	}
}

// resourceType describes an endpoint (RFC 7643 section 6).
func resourceType(c Config, rt *schema.ResourceType) any {
	type extension struct {
		Schema   string `json:"schema"`
		Required bool   `json:"required"`
	}
	extensions := []extension{}
	for _, s := range rt.Extensions {
		extensions = append(extensions, extension{Schema: s.URN})
	}
	return struct {
		Schemas          []string      `json:"schemas"`
		ID               string        `json:"id"`
		Name             string        `json:"name"`
		Endpoint         string        `json:"endpoint"`
		Description      string        `json:"description"`
		Schema           string        `json:"schema"`
		SchemaExtensions []extension   `json:"schemaExtensions"`
		Meta             discoveryMeta `json:"meta"`
	}{
		Schemas: []string{"urn:ietf:params:scim:schemas:core:2.0:ResourceType"},
		ID:      rt.Name, Name: rt.Name, Endpoint: rt.Endpoint, Description: rt.Description, Schema: rt.Core.URN,
		SchemaExtensions: extensions,
		Meta:             discoveryMeta{"ResourceType", c.BaseURL + "/ResourceTypes/" + rt.Name},
	}
}

// serveDiscovery answers the discovery endpoints. They are not filtered: a filter is refused (RFC 7644 section 4).
func (x *exchange) serveDiscovery(path []string) error {
	var documents []document
	switch path[0] {
	case "ServiceProviderConfig":
		if len(path) > 1 {
			return x.noEndpoint()
		}
	case "Schemas":
		documents = x.docs.schemas
	case "ResourceTypes":
		documents = x.docs.resourceTypes
	default:
		return x.noEndpoint()
	}
	x.route = "/" + path[0]
	if !x.reads() {
		return x.methodNotAllowed(http.MethodGet)
	}
	if p, err := x.params(); err != nil {
		return err
	} else if p.Has("filter") {
		return &Error{Status: http.StatusForbidden, Detail: fmt.Sprintf("/%s cannot be filtered.", path[0])}
	}
	switch {
	case documents == nil:
		return x.replyDocument(x.docs.config)
	case len(path) == 2:
		return x.serveDocument(documents, path[1])
	}
	b := openList(nil, listHead{len(documents), 1, len(documents), ""})
	for _, d := range documents {
		b = append(nextInList(b), d.body...)
	}
	return x.replyDocument(closeList(b))
}

func (x *exchange) serveDocument(documents []document, id string) error {
	for _, d := range documents {
		if strings.EqualFold(d.id, id) {
			return x.replyDocument(d.body)
		}
	}
	return &Error{Status: http.StatusNotFound, Detail: fmt.Sprintf("There is no %s here.", quoted(id))}
}
