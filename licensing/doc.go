// Package licensing maps people onto licenses: who asks for which, who has a seat, who waits, and who may sign in.
//
// There is one way in and one decision. Every change of an account, a group, a rule or a pool goes through [Directory.Apply], from
// whatever door it comes, and every answer about a license or a sign-in comes from [Evaluate], which is a pure function;
// [Directory.Explain] says how it came to its answer. A change is first planned (what would be written, without doing it) and then
// committed in one atomic operation of the store, which picks between the outcomes "seat granted" and "no seat" that the plan carries.
//
// The rules:
//
//   - Everyone has Video Pro, which is free and has no seats. On top of it a person has at most one paid license, which takes a seat
//     of the company's pool ([Catalog]).
//   - Whatever asks for a license is a source: the attribute license, entitlements, roles, each rule on a group or a value. All sources
//     are kept as long as what they wrote is there; the highest ranking one names the license that is wanted ([Evaluate]).
//   - A wanted license is reserved or active (a seat is held and the license is in effect), waiting (no seat yet), held (the seat
//     of a deactivated person, kept while nobody waits) or blocked (guest, not approved, inactive). Nobody is left with less than
//     Video Pro, and nobody's creation fails for lack of a seat unless the company's policy is strict.
//   - Above all sources stands a Super Admin's pin, for some time or for good; one to Video Pro keeps any license away. What a connection
//     asks for that may not assign licenses waits until somebody who may approves or refuses it. Nobody stops being a guest by anything
//     but an admin's word.
//   - A role in the company comes from a Super Admin's word, else from the highest that a rule gives or a connection asks for up to the
//     company's ceiling. Guests have none.
//   - A seat that comes free goes to the queue in the same Apply: higher priority first, then the earlier request.
//   - While a payment of the company is overdue nobody is added and no seat is given; people keep what they have and can be let go, and
//     single sign-on goes on for the time of grace. A change of the company's tier changes nobody's license: sign-in asks for both.
//   - A rule on a group is for the accounts that are members of that very group. Those of a group in it get nothing by it, as in
//     Entra's group-based licensing: who pushes a tree of groups would not expect the whole tree to take seats.
//   - A rule on a value follows the value: it is asked again with each change of a person's document. What a change of rules would do can
//     be seen before ([Directory.Forecast]).
//   - A seat is reserved until the person takes the account into use (by a link, a password that was assigned, or the first sign-on), and
//     active from then on. Both count.
//   - A connection takes something away from only so many people within an hour, unless an admin lets it: a wrong filter costs no more.
//   - What concerns more than one account (a group, a rule) is one atomic write of the fact and a sweep over the accounts, which
//     survives a crash.
//
// The doors to a license, each with the tests that go through it ("app" is the assembled server over HTTP, the others are of this package):
//
//	SCIM POST, PATCH                  app TestDoors/scim-post-patch, TestDirectory_sources
//	SCIM PUT                          app TestDoors/scim-put
//	SCIM DELETE, and POST after it    app TestDoors/scim-delete, app TestDoors/scim-return, TestDirectory_comeback
//	SCIM Bulk                         app TestDoors/scim-bulk
//	deactivation and reactivation     app TestDoors/scim-deactivate, TestDirectory_heldSeat
//	group membership                  app TestDoors/group-member, TestDirectory_groupRule
//	deletion of a group               app TestDoors/group-delete, TestDirectory_ruleMadeWhileTheGroupGoes
//	rules                             app TestDoors/rule, TestRule_onValue, TestRule_race
//	assignment by a Super Admin       app TestDoors/admin-assign, TestAssign
//	the end of an assignment          TestAssign
//	people whom admins add            app TestDoors/admin-add, TestActivation_atCreation
//	set-up of an account, passwords   app TestDoors/setup, TestSetUp
//	undoing                           app TestDoors/undo, TestUndo, TestUndo_ofConnection
//	decisions on requests             app TestDoors/admin-approve, TestDecide
//	promotion and demotion            app TestDoors/admin-promote, TestSetMember, TestMove
//	seats bought and returned         app TestDoors/seats, TestDirectory_queueFillsByItself
//	billing                           app TestDoors/billing, TestSetCompany_payment
//	seats that grow by themselves     TestOverage
//	the company's tier                TestSetCompany_tier
//	the end of a hold                 TestDirectory_holdEnds
//	signing in                        TestSignIn, TestSignIn_storm, TestSignIn_superAdmin, app TestNginx
//	the end of sessions               TestHolds, app TestRevocation
//	the guard against mass losses     TestBreaker, TestBreaker_group
//
// The command line is a client of the admin API; its scripts are in cmd/usher/testdata/script.
//
// Left to others: what a request looks like on the wire (scim), how records are kept (store), sessions and tokens (sso, cmd).
package licensing
