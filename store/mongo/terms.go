package mongo

import (
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"usher/store"
	"usher/store/query"
)

// The terms of a document are what it is found by, "path=value", all in one field with one index behind the company. Beside those of the
// indexes there are some of our own, whose paths no attribute has.
const (
	everyTerm    = "*"  // of each record that is not deleted
	seatTerm     = "~s" // license and state of the seat that an account holds
	subgroupTerm = "~g" // a group in the group
)

// placeMark ends a license in what is sorted by license first; placeEnd is behind all places.
const (
	placeMark = "/"
	placeEnd  = "0" // the character after the mark
)

func term(path, value string) string { return path + "=" + value }

// accountIndexes are the indexes that accounts are found by, for the planner.
func accountIndexes(documents []query.Index) []query.Index {
	return slices.Concat([]query.Index{
		{Path: userNameKey, Type: query.String, Fold: true, Unique: true},
		{Path: store.ColumnID, Type: query.String, Unique: true},
		{Path: store.ColumnModified, Type: query.DateTime},
		{Path: store.ColumnGroups, Type: query.String},
	}, store.ColumnIndexes(), documents)
}

// accountTerms gives the terms of an account.
func accountTerms(a *store.Account) []string {
	all := []string{everyTerm, term(userNameKey, a.UserName)}
	if a.Seat != "" {
		all = append(all, term(seatTerm, a.Seat+placeMark+a.SeatState))
	}
	for _, t := range a.Terms {
		all = append(all, term(t.Path, t.Value))
	}
	for _, index := range store.ColumnIndexes() {
		for _, v := range a.Column(index.Path) {
			if index.Fold {
				v = query.Fold(v)
			}
			if v != index.Except {
				all = append(all, term(index.Path, v))
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// queuePlace sorts those who wait by license, then higher priority, earlier request, lower id; empty for who does not wait.
func queuePlace(a *store.Account) string {
	if a.LicenseState != store.StateWaiting {
		return ""
	}
	const highest = 1 << 40
	return fmt.Sprintf("%s%s%014d/%s/%s", a.License, placeMark, highest-int64(a.Priority), query.FormatDateTime(a.Requested), a.ID)
}

// heldPlace sorts those whose seat is held by license, then by how long it is; empty for others.
func heldPlace(a *store.Account) string {
	if a.Seat == "" || a.SeatState != store.StateHeld {
		return ""
	}
	return fmt.Sprintf("%s%s%s/%s", a.Seat, placeMark, query.FormatDateTime(a.SeatSince), a.ID)
}

// placesOf is the condition for the places of a license.
func placesOf(license string) bson.D {
	return bson.D{field("$gte", license+placeMark), field("$lt", license+placeEnd)}
}

// waitingFor is the filter for those who wait for a license.
func waitingFor(company, license string) bson.D {
	return bson.D{field("co", company), field("wq", placesOf(license))}
}
