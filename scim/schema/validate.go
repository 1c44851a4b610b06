package schema

import (
	"fmt"
	"strings"
	"time"
)

// Validate checks a decoded value (string, bool, json.Number, map[string]any with canonical names, []any) against the attribute's
// type and those of its sub-attributes. Members of an object that the attribute does not have are ignored, and canonical values
// are not enforced. The error is a sentence that names the attribute ("emails.value must be a string").
func (a *Attribute) Validate(value any) error {
	if !a.MultiValued {
		return a.validateOne(value)
	}
	list, ok := value.([]any)
	if !ok {
		return fmt.Errorf("%s must be an array", a.QualifiedName())
	}
	for _, v := range list {
		if err := a.validateOne(v); err != nil {
			return err
		}
	}
	return nil
}

func (a *Attribute) validateOne(value any) error {
	if a.Kind == Complex {
		return a.validateObject(value)
	}
	switch a.Kind {
	case DateTime:
		// elimity takes an instant without a zone, which cannot be compared with others.
		if s, ok := value.(string); ok {
			if _, err := time.Parse(time.RFC3339Nano, s); err != nil {
				return a.typeError()
			}
		}
	case Binary:
		// elimity insists on the padding, which RFC 7643 section 2.3.6 lets clients leave out.
		if s, ok := value.(string); ok {
			value = pad(s)
		}
	}
	if _, err := a.base.ValidateSingular(value); err != nil {
		return a.typeError()
	}
	return nil
}

func (a *Attribute) validateObject(value any) error {
	object, ok := value.(map[string]any)
	if !ok {
		if a.MultiValued {
			return fmt.Errorf("each value of %s must be an object", a.Name)
		}
		return fmt.Errorf("%s must be an object", a.Name)
	}
	for _, sub := range a.Sub {
		if v, ok := object[sub.Name]; ok {
			if err := sub.Validate(v); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *Attribute) typeError() error {
	if a.MultiValued {
		return fmt.Errorf("each value of %s must be %s", a.QualifiedName(), a.Kind.describe())
	}
	return fmt.Errorf("%s must be %s", a.QualifiedName(), a.Kind.describe())
}

func (k Kind) describe() string {
	switch k {
	case Boolean:
		return "a boolean, true or false"
	case Decimal:
		return "a number"
	case Integer:
		return "a whole number"
	case DateTime:
		return "a dateTime with a time zone, such as 2008-01-23T04:56:22Z"
	case Reference:
		return "a URI in a string"
	case Binary:
		return "base64 in a string, without line breaks"
	}
	return "a string"
}

// pad completes base64 to a multiple of four characters.
func pad(s string) string {
	if n := len(s) % 4; n > 1 && !strings.Contains(s, "=") {
		return s + "=="[n-2:]
	}
	return s
}
