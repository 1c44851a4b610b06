package scim

import (
	"encoding/json"

	"github.com/go-json-experiment/json/jsontext"

	"usher/scim/schema"
)

// encode writes the canonical document of a resource: schemas first, then the attributes in the order of the schema, then the extensions in
// the order of the resource type. The usher extension of a User is always there, and last: a document that has it ends in "}}", so that
// the read-only license attributes can be put in before these two bytes without decoding. Equal resources have equal documents.
func encode(rt *schema.ResourceType, r Resource) []byte {
	const usual = 2048
	dst := make([]byte, 0, usual)
	dst = append(dst, `{"schemas":["`...)
	dst = append(dst, rt.Core.URN...)
	dst = append(dst, '"')
	extensions := writtenExtensions(rt, r)
	for _, extension := range extensions {
		dst = append(dst, `,"`...)
		dst = append(dst, extension.URN...)
		dst = append(dst, '"')
	}
	dst = append(dst, ']')
	if externalID, ok := r["externalId"].(string); ok {
		dst = append(dst, `,"externalId":`...)
		dst = appendString(dst, externalID)
	}
	dst = appendAttributes(dst, rt.Core.Attributes, r)
	for _, extension := range extensions {
		dst = append(dst, `,"`...)
		dst = append(dst, extension.URN...)
		dst = append(dst, `":{`...)
		values, _ := r[extension.URN].(map[string]any)
		dst = appendAttributes(dst, extension.Attributes, values)
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

// writtenExtensions gives the extensions that the document has, in the order in which it has them.
func writtenExtensions(rt *schema.ResourceType, r Resource) []*schema.Schema {
	var written []*schema.Schema
	var usher *schema.Schema
	for _, extension := range rt.Extensions {
		if extension.URN == schema.UsherUserURN {
			usher = extension
			continue
		}
		if values, ok := r[extension.URN].(map[string]any); ok && len(values) > 0 {
			written = append(written, extension)
		}
	}
	if usher != nil {
		written = append(written, usher)
	}
	return written
}

// appendAttributes writes the members of an object. A member that is not the object's first gets its comma.
func appendAttributes(dst []byte, attributes []*schema.Attribute, values map[string]any) []byte {
	for _, attr := range attributes {
		value, ok := values[attr.Name]
		if !ok {
			continue
		}
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = append(dst, attr.Name...)
		dst = append(dst, `":`...)
		dst = appendValue(dst, attr, value)
	}
	return dst
}

func appendValue(dst []byte, attr *schema.Attribute, value any) []byte {
	switch value := value.(type) {
	case string:
		return appendString(dst, value)
	case bool:
		if value {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	case json.Number:
		return append(dst, value...)
	case map[string]any:
		dst = append(dst, '{')
		dst = appendAttributes(dst, attr.Sub, value)
		return append(dst, '}')
	case []any:
		dst = append(dst, '[')
		for i, element := range value {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendValue(dst, attr, element)
		}
		return append(dst, ']')
	}
	return append(dst, "null"...)
}

// appendString quotes a string without escaping more than JSON asks for.
func appendString(dst []byte, s string) []byte {
	// The error is about invalid UTF-8, which is replaced; what came over the wire has none.
	dst, _ = jsontext.AppendQuote(dst, s)
	return dst
}
