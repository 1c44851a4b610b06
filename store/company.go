package store

import (
	"context"
	"time"
)

// Company is one tenant: its tier, its policies and its domains.
type Company struct {
	ID      string
	Version int64
	Name    string // the short name in addresses and on the command line; unique, lower case
	Display string
	Tier    string // "free" or "video-pro-plus"
	Epoch   int64  // grows when all sessions of the company must end

	SeatPolicy  string        // "waiting" or "strict"
	HoldFor     time.Duration // how long the seat of a deactivated account is held while nobody waits
	GuestPolicy string        // "webmail" or "unverified"
	Domains     []string      // verified domains, folded; each is unique over all companies

	Invites string // who is sent an invitation: the modes are licensing's

	Approval    string // whose requests for licenses wait for an approval; the modes are licensing's
	RoleCeiling string // the highest role that connections can give

	LossMin     int // how many people a connection may take something away from within an hour, in any case; 0: licensing's default
	LossPercent int // and how many of a hundred; 0: licensing's default

	Payment   string    // how the company pays; the states are licensing's. Empty is that of one that pays
	PaymentAt time.Time // when that changes by itself, or shall be seen to; zero: never

	LocalSignIn string        // who may sign in with a password; the modes are licensing's
	SessionIdle time.Duration // how long a person's session lasts without being used; 0: licensing's default
	SessionMax  time.Duration // and in all; 0: licensing's default

	Created time.Time
}

// LocalAdmin is an administrator's own record: not an account, in a name space of its own, unseen by SCIM.
type LocalAdmin struct {
	ID       string
	Company  string
	Login    string // folded; unique in the company
	Password string // argon2id in PHC form, never clear text
	Role     string
	TOTP     string // the sealed secret of one-time passwords (RFC 6238); empty: none are asked for
	TOTPStep int64  // the latest step whose password was used: none works twice
	Created  time.Time
}

// AdminKey is a key by which a local admin's programs call the admin API. Only its hash is stored.
type AdminKey struct {
	Hash    [32]byte // SHA-256 of the key
	ID      string   // what people call it by; says nothing about the key
	Company string
	Admin   string // id of the local admin; the key is worth nothing without them
	Created time.Time
	Expires time.Time // zero: never
}

// Companies keeps the companies and their local admins.
type Companies interface {
	// CreateCompany stores a company with its pools and its first local admin, all or nothing: *ConflictError (Company.Name, Domain).
	CreateCompany(ctx context.Context, c Company, pools []Pool, admin *LocalAdmin, events []Event) (Company, error)
	// UpdateCompany stores the settings of c in the company with its id: Display, Tier, Epoch, SeatPolicy, HoldFor, GuestPolicy, Invites,
	// Approval, RoleCeiling, Payment, PaymentAt, LossMin, LossPercent, LocalSignIn, SessionIdle and SessionMax, and nothing else, with the sweep
	// that carries it out (nil: there is nothing to do). Errors: ErrNotFound, ErrVersion unless the company is at c.Version. It gives what is stored.
	UpdateCompany(ctx context.Context, c Company, sweep *Sweep, events []Event) (Company, error)
	// SetDomains makes the verified domains of the company c those given, if it is still at c.Version. Errors: ErrNotFound, ErrVersion,
	// *ConflictError (Domain). It gives what is stored.
	SetDomains(ctx context.Context, c Company, domains []string, events []Event) (Company, error)
	// Company gives one company by id, CompanyByName by its short name: ErrNotFound.
	Company(ctx context.Context, id string) (Company, error)
	CompanyByName(ctx context.Context, name string) (Company, error)
	// ListCompanies gives all companies in creation order.
	ListCompanies(ctx context.Context) ([]Company, error)
	// DomainOwner gives the id of the company that has verified the domain (folded): ErrNotFound.
	DomainOwner(ctx context.Context, domain string) (string, error)
	// PutLocalAdmin adds the admin to the company c, or replaces the one with the same id, if the company is still at c.Version, which
	// grows by it: so whoever looks at all admins first can be sure of them. Errors: ErrNotFound, ErrVersion, *ConflictError
	// (LocalAdmin.Login).
	PutLocalAdmin(ctx context.Context, c Company, a LocalAdmin, events []Event) error
	// DeleteLocalAdmin removes an admin in the same way: ErrNotFound, ErrVersion.
	DeleteLocalAdmin(ctx context.Context, c Company, id string, events []Event) error
	// CreateAdminKey stores a key. AdminKey finds one by its hash: ErrNotFound; the caller checks Expires and that the admin is still there.
	CreateAdminKey(ctx context.Context, k AdminKey, events []Event) error
	AdminKey(ctx context.Context, hash [32]byte) (AdminKey, error)
	// ListAdminKeys gives those of a company in creation order.
	ListAdminKeys(ctx context.Context, company string) ([]AdminKey, error)
	// DeleteAdminKey revokes the key with the id: ErrNotFound.
	DeleteAdminKey(ctx context.Context, company, id string, events []Event) error
	// ListLocalAdmins gives the local admins of a company.
	ListLocalAdmins(ctx context.Context, company string) ([]LocalAdmin, error)
}
