// Package migrate copies all records of one store to another, of whichever engines, and compares them.
//
// A copy that was interrupted goes on where it was when it is begun again. Until it has been compared with the original nothing but the next
// run opens it. It is the records that are copied ([usher/store.Transfer]); what an engine makes of them, indexes and counts, is made anew.
package migrate
