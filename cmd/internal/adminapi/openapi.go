package adminapi

import (
	"context"
	_ "embed" // the document
	"encoding/json"
)

// openAPIDocument describes the operations (OpenAPI 3.1). It is made of the routes and of the comments on their types by the tests, which
// also hold every answer of theirs against it.
//
//go:embed openapi.json
var openAPIDocument []byte

func (h *Handler) openAPI(context.Context, call) (any, error) {
	return json.RawMessage(openAPIDocument), nil
}
