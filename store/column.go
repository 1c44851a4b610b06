package store

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"usher/store/query"
)

// ColumnIndexes are the indexes over columns that every engine keeps for accounts, beside those over the document that it was
// opened with. The values that nearly every account has are left out of them.
func ColumnIndexes() []query.Index {
	return []query.Index{
		{Path: ColumnEffective, Type: query.String, Fold: true, Except: "video-pro"},
		{Path: ColumnLicenseState, Type: query.String, Fold: true, Except: StateNone},
		{Path: ColumnMemberType, Type: query.String, Fold: true, Except: "coworker"},
		{Path: ColumnSourceRef, Type: query.String},
		{Path: ColumnRoleSource, Type: query.String},
		{Path: ColumnRequest, Type: query.String},
		{Path: ColumnExtension, Type: query.String},
		{Path: ColumnActivation, Type: query.String},
		{Path: ColumnUntil, Type: query.DateTime},
	}
}

// Column gives the canonical values of a column, nil for one that the account does not have. The engine gives the groups.
func (a *Account) Column(path string) []string {
	switch path {
	case ColumnID:
		return []string{a.ID}
	case ColumnCreated:
		return instant(a.Created)
	case ColumnModified:
		return instant(a.Modified)
	case ColumnVersion:
		return []string{strconv.FormatInt(a.Version, 10) + "." + strconv.FormatInt(a.GroupsVersion, 10)}
	case ColumnEffective:
		return text(a.Effective)
	case ColumnLicenseState:
		return text(a.LicenseState)
	case ColumnReason:
		return text(a.LicenseReason)
	case ColumnMemberType:
		return text(a.MemberType)
	case ColumnRole:
		return text(a.Role)
	case ColumnExtension:
		return text(a.Extension)
	case ColumnActivation:
		return text(a.Activation)
	case ColumnSourceRef:
		all := a.ofSources(func(s Source) string { return s.Ref })
		for _, s := range a.RoleSources {
			if s.Ref != "" && !slices.Contains(all, s.Ref) {
				all = append(all, s.Ref)
			}
		}
		return all
	case ColumnRoleSource:
		var all []string
		for _, s := range a.RoleSources {
			all = append(all, s.Kind)
		}
		return all
	case ColumnSource:
		return a.ofSources(func(s Source) string { return s.Kind + ":" + s.License })
	case ColumnRequest:
		return a.ofSources(func(s Source) string {
			if s.Approved || s.Refused {
				return ""
			}
			return s.License
		})
	case ColumnUntil:
		return a.ofSources(func(s Source) string {
			if s.Until.IsZero() {
				return ""
			}
			return query.FormatDateTime(s.Until)
		})
	}
	return nil
}

// ofSources gives what value says of each source, without what is empty.
func (a *Account) ofSources(value func(Source) string) []string {
	var all []string
	for _, s := range a.Sources {
		if v := value(s); v != "" {
			all = append(all, v)
		}
	}
	return all
}

// Column gives the canonical values of a column, nil for one that the group does not have. The engine gives the members.
func (g *Group) Column(path string) []string {
	switch path {
	case ColumnID:
		return []string{g.ID}
	case ColumnCreated:
		return instant(g.Created)
	case ColumnModified:
		return instant(g.Modified)
	case ColumnVersion:
		return []string{strconv.FormatInt(g.Version, 10)}
	}
	return nil
}

func text(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func instant(t time.Time) []string {
	if t.IsZero() {
		return nil
	}
	return []string{query.FormatDateTime(t)}
}

// ReferenceElement gives a value of ColumnMemberElements or ColumnGroupElements.
func ReferenceElement(id, display, kind string) string {
	b, err := json.Marshal(struct {
		Value   string `json:"value"`
		Display string `json:"display,omitempty"`
		Type    string `json:"type"`
	}{id, display, kind})
	if err != nil { // strings always marshal
		panic(err)
	}
	return string(b)
}

// The types of elements.
const (
	ElementUser   = "User"
	ElementGroup  = "Group"
	ElementDirect = "direct"
)
