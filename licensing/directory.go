package licensing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"strings"
	"sync"
	"time"

	"usher/store"
	"usher/store/query"
)

// Store is what the directory needs of the store.
type Store interface {
	store.Accounts
	store.Groups
	store.Pools
	store.Rules
	store.Sweeps
	store.Events
	store.Sessions
	ListConnections(ctx context.Context, company string) ([]store.Connection, error)
	ListMails(ctx context.Context, company, account, before string, limit int) ([]store.Mail, error)
	UpdateMail(ctx context.Context, m store.Mail) error
	PostMails(ctx context.Context, company string, mails []store.Mail) error
	ListLocalAdmins(ctx context.Context, company string) ([]store.LocalAdmin, error)
	Company(ctx context.Context, id string) (store.Company, error)
	ListCompanies(ctx context.Context) ([]store.Company, error)
	CreateCompany(ctx context.Context, c store.Company, pools []store.Pool, admin *store.LocalAdmin, events []store.Event) (store.Company, error)
	UpdateCompany(ctx context.Context, c store.Company, sweep *store.Sweep, events []store.Event) (store.Company, error)
	SetDomains(ctx context.Context, c store.Company, domains []string, events []store.Event) (store.Company, error)
	DomainOwner(ctx context.Context, domain string) (string, error)
	Connection(ctx context.Context, id string) (store.Connection, error)
	SetBreaker(ctx context.Context, c store.Connection, was string, events []store.Event) error
	CountLosses(ctx context.Context, company, connection string, since time.Time, limit int) (int, error)
}

// Seat policies of a company: what becomes of a write that would have to wait for a seat.
const (
	SeatsWaiting = "waiting" // the person is kept on Video Pro and waits
	SeatsStrict  = "strict"  // the write is refused as a whole
)

// Approval modes of a company: whose requests for licenses wait for a Super Admin.
const (
	ApprovalScope  = "scope"  // those of connections without the scope license:assign
	ApprovalAlways = "always" // those of all connections
)

const (
	// attempts is how often a change is planned anew when the account has changed meanwhile.
	attempts = 5
	// tombstoneFor is how long a deleted account can be had back by its connection.
	tombstoneFor = 30 * 24 * time.Hour
	// HoldFor is how long a company holds the seat of a deactivated person unless it says otherwise.
	HoldFor = 7 * 24 * time.Hour
)

// Directory is the one way in which accounts, groups, rules, seats and with them licenses change.
// It is safe for concurrent use.
type Directory struct {
	store   Store
	clock   func() time.Time
	log     *slog.Logger
	holder  string // names this process in the leases of sweeps
	webmail map[string]bool

	// Links gives the SHA-256 of the secret of the link in a mail, by the mail's id. It is set before the directory is used; nil: nobody
	// can be invited.
	Links func(mail string) []byte
	// Shared says that other processes work on the same store. It is set before the directory is used.
	Shared bool
	// Posted is called after something was put into the outbox. It is set before the directory is used; nil: nobody wants to know.
	Posted func()

	pending *pending

	turns sync.Map // what for -> *sync.Mutex; see turn
	// writing keeps changes of one account in this process from planning on each other's leavings; an account's is found by its id.
	// Who holds one may wait for the turn of a queue, never for a sweep or for another account.
	writing [64]sync.Mutex
}

// NewDirectory makes the directory over a store. clock gives the time; nil means the system's.
func NewDirectory(s Store, clock func() time.Time, log *slog.Logger) *Directory {
	if clock == nil {
		clock = time.Now
	}
	return &Directory{store: s, clock: clock, log: log, holder: store.NewID(), webmail: webmail(), pending: newPending()}
}

// AddWebmail adds domains of webmail providers to those that the directory knows. It is called before the directory is used.
func (d *Directory) AddWebmail(domains ...string) {
	for _, domain := range domains {
		d.webmail[strings.TrimSuffix(query.Fold(domain), ".")] = true
	}
}

// turn waits until nobody else in this process does what is named and gives the function that ends the turn.
func (d *Directory) turn(of string) (done func()) {
	t, _ := d.turns.LoadOrStore(of, &sync.Mutex{})
	mutex := t.(*sync.Mutex)
	mutex.Lock()
	return mutex.Unlock
}

// one is turn for changes of one account, of which there are too many for a name each.
func (d *Directory) one(account string) (done func()) {
	mutex := &d.writing[crc32.ChecksumIEEE([]byte(account))%uint32(len(d.writing))]
	mutex.Lock()
	return mutex.Unlock
}

// now is the time in the precision of the store.
func (d *Directory) now() time.Time { return d.clock().UTC().Truncate(time.Millisecond) }

// Apply carries out one change and everything that follows from it: when it returns, the licenses of all accounts concerned are
// what the change asks for, and no seat is free while somebody waits for it.
//
// Errors: *Refusal when a rule says no; store.ErrNotFound, store.ErrVersion, *store.ConflictError, *store.UnknownMemberError; the
// error of an Edit as it is. Nothing was changed then. Another error of the store may come after the change of a group or a rule was
// written and before the accounts that it concerns were: repeating the request finishes that, and Maintain does. When only the queue
// could not be served the change is done; that is logged and left to Maintain.
func (d *Directory) Apply(ctx context.Context, c Change) (Result, error) {
	if err := mayDo(c); err != nil {
		return Result{}, err
	}
	switch do := c.Do.(type) {
	case CreateAccount:
		return d.createAccount(ctx, c, do)
	case UpdateAccount:
		return d.updateAccount(ctx, c, do)
	case DeleteAccount:
		return d.deleteAccount(ctx, c, do)
	case CreateGroup:
		return d.createGroup(ctx, c, do)
	case UpdateGroup:
		return d.updateGroup(ctx, c, do)
	case DeleteGroup:
		return d.deleteGroup(ctx, c, do)
	case AddRule:
		return d.addRule(ctx, c, do)
	case RemoveRule:
		return d.removeRule(ctx, c, do)
	case SetSeats:
		return d.setSeats(ctx, c, do)
	case SetCeiling:
		return d.setCeiling(ctx, c, do)
	case CreateCompany:
		return d.createCompany(ctx, c, do)
	case SetCompany:
		return d.setCompany(ctx, c, do)
	case SetBreaker:
		return d.setBreaker(ctx, c, do)
	case Assign:
		return d.assign(ctx, c, do)
	case Decide:
		return d.decideRequest(ctx, c, do)
	case SetMember:
		return d.setMember(ctx, c, do)
	case SetRole:
		return d.setRole(ctx, c, do)
	case EndSessions:
		return d.endSessions(ctx, c, do)
	case Unlink:
		return d.unlink(ctx, c, do)
	case AddDomain:
		return d.addDomain(ctx, c, do)
	case RemoveDomain:
		return d.removeDomain(ctx, c, do)
	case Undo:
		return d.undo(ctx, c, do)
	case Invite:
		return d.invite(ctx, c, do)
	case SetPassword:
		return d.setPassword(ctx, c, do)
	case SetTOTP:
		return d.editSetup(ctx, c, do.ID, func(s *store.Setup) error {
			switch do.Replaces {
			case "":
				s.TOTPStep = 0
			case s.TOTP:
			default:
				return store.ErrVersion
			}
			s.TOTP = do.Sealed
			return nil
		})
	case UseTOTP:
		return d.editSetup(ctx, c, do.ID, func(s *store.Setup) error {
			if do.Step <= s.TOTPStep {
				return store.ErrVersion
			}
			s.TOTPStep = do.Step
			return nil
		})
	case SetUp:
		return d.setUp(ctx, c, do)
	}
	return Result{}, fmt.Errorf("licensing: unknown operation %T", c.Do)
}

// situation gathers what plans of the change depend on.
func (d *Directory) situation(ctx context.Context, c Change) (situation, error) {
	company, err := d.store.Company(ctx, c.Company)
	if err != nil {
		return situation{}, fmt.Errorf("company %s: %w", c.Company, err)
	}
	rules, err := d.store.ListRules(ctx, c.Company)
	if err != nil {
		return situation{}, fmt.Errorf("rules: %w", err)
	}
	if company.Approval == ApprovalAlways && guarded(c) {
		c.MayAssign = false
	}
	return situation{
		company: company, change: c, now: d.now(), rules: newRuleSet(rules),
		pools: func(l License) (store.Pool, error) { return d.store.Pool(ctx, c.Company, string(l)) },
	}, nil
}

func (d *Directory) createAccount(ctx context.Context, c Change, do CreateAccount) (Result, error) {
	s, err := d.situation(ctx, c)
	if err != nil {
		return Result{}, err
	}
	if err := mayAdd(s.company); err != nil {
		return Result{}, err
	}
	if err := d.checkDomain(ctx, s.company, do.Draft.Email); err != nil {
		return Result{}, err
	}
	fresh := store.Account{Company: c.Company, Connection: do.Connection, Created: s.now, Modified: s.now}
	fresh.MemberType = string(memberType(s.company, do.Draft.Email, d.webmail))
	apply(s, &fresh, do.Draft)
	mails, err := d.begin(s, &fresh, do)
	if err != nil {
		return Result{}, err
	}
	for range attempts {
		adopt, err := d.adopt(ctx, &fresh)
		if err != nil {
			return Result{}, err
		}
		p, err := makePlan(s, nil, fresh)
		if err != nil {
			// A conflict is a conflict, whatever the seats are.
			r, taken := d.takeUp(ctx, c, do, &store.ConflictError{Field: "UserName", Value: do.Draft.UserName})
			if errors.Is(taken, store.ErrNotFound) {
				return Result{}, err
			}
			return r, taken
		}
		p.write.Adopt, p.write.Mails = adopt, aboutAccount(mails, fresh.ID)
		stored, err := d.commit(ctx, s, p)
		var conflict *store.ConflictError
		switch {
		case err == nil:
			return Result{Account: stored, Created: true, Changed: true}, nil
		case errors.Is(err, store.ErrNoSeat):
			if err := d.makeRoom(ctx, c, p.waits); err != nil {
				return Result{}, err
			}
		case errors.As(err, &conflict) && conflict.Field == "UserName":
			r, err := d.takeUp(ctx, c, do, err)
			if !errors.Is(err, store.ErrNotFound) { // else the account that had the name is gone by now
				return r, err
			}
		case adopt != nil && (errors.Is(err, store.ErrVersion) || errors.As(err, &conflict)): // somebody else took the tombstone up
		default:
			return Result{}, err
		}
	}
	return Result{}, store.ErrVersion
}

// mayAdd refuses new people to a company that does not pay.
func mayAdd(c store.Company) *Refusal {
	if unpaid(c) {
		return refuse(BillingSuspended, "Nobody can be added while a payment of the company is overdue.")
	}
	return nil
}

// takeUp answers a creation whose user name is in use: an inactive account of the same connection and externalId is the same
// person coming back, anything else is a conflict. ErrNotFound when nobody has the name (any more).
func (d *Directory) takeUp(ctx context.Context, c Change, do CreateAccount, conflict error) (Result, error) {
	was, err := d.store.AccountByUserName(ctx, c.Company, do.Draft.UserName)
	if err != nil {
		return Result{}, err
	}
	returns := func(a store.Account) bool {
		return do.Return != nil && !a.Active && do.Connection != "" && a.Connection == do.Connection && do.Draft.ExternalID != "" && a.ExternalID == do.Draft.ExternalID
	}
	if !returns(was) {
		return Result{}, conflict
	}
	r, err := d.updateAccount(ctx, c, UpdateAccount{ID: was.ID, Connection: do.Connection, Edit: func(before store.Account) (Draft, error) {
		if !returns(before) {
			return Draft{}, conflict
		}
		return do.Return(before)
	}})
	r.Created, r.Returned = err == nil, err == nil
	return r, err
}

// adopt gives a new account its id: that of the tombstone which it takes over, if there is one, with the creation time and an epoch
// that no session of old can have; else a fresh one.
func (d *Directory) adopt(ctx context.Context, a *store.Account) (*store.Tombstone, error) {
	a.ID, a.Epoch = store.NewID(), 0
	a.Created = a.Modified
	if a.Connection == "" || a.ExternalID == "" {
		return nil, nil
	}
	t, err := d.store.NewestTombstone(ctx, a.Company, a.Connection, a.ExternalID, a.Modified.Add(-tombstoneFor))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("tombstone: %w", err)
	}
	a.ID, a.Created, a.Epoch = t.ID, t.Created, t.Epoch+1
	return &t, nil
}

// checkDomain refuses an address in a domain that another company has verified.
func (d *Directory) checkDomain(ctx context.Context, c store.Company, address string) error {
	for _, domain := range parents(domainOf(address)) {
		owner, err := d.store.DomainOwner(ctx, domain)
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return fmt.Errorf("domain %s: %w", domain, err)
		case owner != c.ID:
			return refuse(DomainOfOtherCompany, "The address %s belongs to the domain %s, which another company has verified.", address, domain)
		default:
			return nil
		}
	}
	return nil
}

func (d *Directory) updateAccount(ctx context.Context, c Change, do UpdateAccount) (Result, error) {
	s, err := d.situation(ctx, c)
	if err != nil {
		return Result{}, err
	}
	return d.editAndTell(ctx, s, do.ID, do.IfVersion, func(before store.Account) (store.Account, []store.Mail, error) {
		draft, err := do.Edit(before)
		if err != nil {
			return before, nil, err
		}
		if draft.Moved && draft.Active {
			if err := d.checkDomain(ctx, s.company, draft.Email); err != nil {
				return before, nil, err
			}
		}
		after := before
		if after.Connection == "" {
			after.Connection = do.Connection
		}
		apply(s, &after, draft)
		if repoints(c, before, after) {
			return before, nil, refuse(SuperAdminRequired, "The externalId of a Super Admin who has not come through the identity provider yet is for Super Admins to change, and their account for Super Admins to open again: whoever is known by the externalId there signs in as one.")
		}
		if draft.Moved && d.becomesGuest(s.company, draft) {
			demote(&after)
		}
		// The link went to another address, or leads to an account that is closed.
		if after.Activation == store.ActivationInvited && (draft.Moved || !after.Active) {
			after.Setup = store.Setup{}
		}
		return after, d.inviteByPolicy(s, before, &after, draft.Email), nil
	})
}

// repoints says whether a change decides who will sign in as a Super Admin, though whoever makes it may not make one. To close an account is
// refused to nobody, whatever comes with it; so it matters who opens it again.
func repoints(c Change, before, after store.Account) bool {
	if before.Role != RoleSuperAdmin || before.Identity.Subject != "" || !after.Active {
		return false
	}
	if before.Active && before.ExternalID == after.ExternalID {
		return false
	}
	return weakHand(c) || c.Actor.Kind == actorConnection
}

// edit changes an account by f, which makes of it as it stands what it shall be and may be called several times; f's error is returned as
// it is. ErrVersion unless the account is at the version given; 0: any.
func (d *Directory) edit(ctx context.Context, s situation, id string, version int64, f func(before store.Account) (store.Account, error)) (Result, error) {
	return d.editAndTell(ctx, s, id, version, func(before store.Account) (store.Account, []store.Mail, error) {
		after, err := f(before)
		return after, nil, err
	})
}

// telling makes of an account as it stands what it shall be, and the mails that go out for it.
type telling func(before store.Account) (store.Account, []store.Mail, error)

// editAndTell is edit with mails.
func (d *Directory) editAndTell(ctx context.Context, s situation, id string, version int64, f telling) (Result, error) {
	for range attempts {
		p, stored, err := d.editOnce(ctx, s, id, version, f)
		switch {
		case err == nil && !p.changed:
			return Result{Account: stored}, nil
		case err == nil:
			return Result{Account: d.follow(ctx, s, p, stored), Changed: true}, nil
		case errors.Is(err, store.ErrNoSeat):
			if err := d.makeRoom(ctx, s.change, p.waits); err != nil {
				return Result{}, err
			}
		case errors.Is(err, store.ErrVersion) && version == 0:
		default:
			return Result{}, err
		}
	}
	return Result{}, store.ErrVersion
}

// editOnce plans a change of the account as it stands and writes it. Its error is that of the store, or why not.
func (d *Directory) editOnce(ctx context.Context, s situation, id string, version int64, f telling) (plan, store.Account, error) {
	defer d.one(id)()
	before, err := d.store.Account(ctx, s.company.ID, id)
	if err != nil {
		return plan{}, before, err
	}
	if version != 0 && version != before.Version {
		return plan{}, before, store.ErrVersion
	}
	after, mails, err := f(before)
	if err != nil {
		return plan{}, before, err
	}
	p, err := makePlan(s, &before, after)
	if err != nil || !p.changed {
		return p, before, err
	}
	p.write.Mails = mails
	done, err := d.allow(ctx, s, losses(p.write.Loss))
	if err != nil {
		return p, before, err
	}
	defer done()
	stored, err := d.write(ctx, p)
	return p, stored, err
}

// write writes a plan, and says so to whoever sends the mails in it.
func (d *Directory) write(ctx context.Context, p plan) (store.Account, error) {
	stored, err := d.store.WriteAccount(ctx, p.write)
	if err == nil && len(p.write.Mails) > 0 && d.Posted != nil {
		d.Posted()
	}
	if err == nil {
		d.uninvite(ctx, p.write.Before, stored)
	}
	return stored, err
}

// uninvite withdraws the invitation of somebody whose link is not good any more after a write.
func (d *Directory) uninvite(ctx context.Context, before *store.Account, stored store.Account) {
	if before != nil && before.Activation == store.ActivationInvited && !bytes.Equal(before.Link, stored.Link) {
		d.withdraw(ctx, stored.Company, stored.ID)
	}
}

// losses is the number of people who lose something by a write.
func losses(connection string) int {
	if connection == "" {
		return 0
	}
	return 1
}

// apply writes a draft into an account.
func apply(s situation, a *store.Account, draft Draft) {
	a.UserName, a.ExternalID, a.Display, a.Active = draft.UserName, draft.ExternalID, draft.Display, draft.Active
	a.Extension = draft.Extension
	a.Doc, a.Terms = draft.Doc, draft.Terms
	a.Sources = carry(a.Sources, draft.Intents, s.change.Actor.ID, s.change.MayAssign, s.now)
	a.RoleSources = carryRoles(a.RoleSources, draft.Intents, s.change.Actor.ID, s.now)
	s.rules.followValues(a, s.now)
}

func (d *Directory) deleteAccount(ctx context.Context, c Change, do DeleteAccount) (Result, error) {
	s, err := d.situation(ctx, c)
	if err != nil {
		return Result{}, err
	}
	defer d.one(do.ID)()
	for range attempts {
		before, err := d.store.Account(ctx, c.Company, do.ID)
		if err != nil {
			return Result{}, err
		}
		if do.IfVersion != 0 && do.IfVersion != before.Version {
			return Result{}, store.ErrVersion
		}
		gone := store.AccountDelete{Before: before, At: s.now}
		if before.Active && guarded(c) {
			gone.Loss = c.Actor.ID
		}
		if before.Connection != "" && before.ExternalID != "" {
			gone.Tombstone = &store.Tombstone{
				Company: c.Company, Connection: before.Connection, ExternalID: before.ExternalID,
				ID: before.ID, Created: before.Created, Deleted: s.now, Version: before.Version, Epoch: before.Epoch,
			}
		}
		ended := store.Account{ID: before.ID, Decision: store.Decision{LicenseState: store.StateNone, Effective: string(VideoPro)}}
		gone.Events = append(gone.Events, newEvent(c, s.now, store.EventAccount, ActionUserDelete, before.ID, struct {
			ExternalID string `json:"externalId,omitempty"`
		}{before.ExternalID}))
		if holdingOf(before.Decision) != holdingOf(ended.Decision) {
			gone.Events = append(gone.Events, licenseEvent(s, &before, ended))
		}
		done, err := d.allow(ctx, s, losses(gone.Loss))
		if err != nil {
			return Result{}, err
		}
		err = d.store.DeleteAccount(ctx, gone)
		done()
		switch {
		case err == nil:
			d.attend(ctx, c, License(before.Seat))
			if before.Activation == store.ActivationInvited {
				d.withdraw(ctx, c.Company, do.ID)
			}
			return Result{Account: before, Changed: true}, nil
		case errors.Is(err, store.ErrVersion):
			continue
		}
		return Result{}, err
	}
	return Result{}, store.ErrVersion
}

// commit writes a plan and follows it up.
func (d *Directory) commit(ctx context.Context, s situation, p plan) (store.Account, error) {
	stored, err := d.write(ctx, p)
	if err != nil {
		return store.Account{}, err
	}
	return d.follow(ctx, s, p, stored), nil
}

// follow serves the queues that a plan concerns once it is written, and gives the account as it stands after that.
func (d *Directory) follow(ctx context.Context, s situation, p plan, stored store.Account) store.Account {
	queues := p.frees
	if stored.SeatState == store.StateHeld { // somebody may have begun to wait for it since the plan was made
		queues = append(queues, License(stored.Seat))
	}
	waits := stored.LicenseState == store.StateWaiting
	if waits {
		queues = append(queues, License(stored.License))
	}
	d.attend(ctx, s.change, queues...)
	if err := d.catchUp(ctx, s, stored); err != nil {
		d.log.Error("an account was not held against a rule that was made meanwhile", "company", s.company.ID, "account", stored.ID, "request", s.change.Request, "error", err)
	}
	if !waits {
		return stored
	}
	now, err := d.store.Account(context.WithoutCancel(ctx), stored.Company, stored.ID)
	if err != nil {
		return stored
	}
	return now
}

// attend serves queues after a change that stands whatever comes of it.
func (d *Directory) attend(ctx context.Context, c Change, queues ...License) {
	if err := d.serve(ctx, c, queues...); err != nil {
		d.log.Error("a queue was not served; it will be by the next maintenance", "company", c.Company, "request", c.Request, "error", err)
	}
}
