package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/alecthomas/kong"
)

// Exit statuses.
const (
	statusDone    = 0
	statusRefused = 1
	statusUsage   = 2
)

// commands is the whole command line.
type commands struct {
	Demo     demoCommand    `cmd:"" help:"Run a complete server with a company, and play a short sync of two identity providers against it."`
	Serve    serveCommand   `cmd:"" help:"Run the server."`
	Selftest selftest       `cmd:"" help:"Check a SCIM server by every requirement of the standards."`
	Migrate  migrateCommand `cmd:"" help:"Copy everything from one store to another, such as from a data folder to MongoDB, and compare them."`
	Doctor   doctorCommand  `cmd:"" help:"Look for what is not as it should be: counts, the chain of events, records that belong to nothing, work that nobody does."`
	Company  struct {
		Create companyCreate `cmd:"" help:"Add a company."`
		List   companyList   `cmd:"" help:"List the companies."`
		Set    companySet    `cmd:"" help:"Change the tier, the policies or the payment of a company."`
		Domain struct {
			Add    domainAdd    `cmd:"" help:"Verify a domain by a record in the DNS."`
			List   domainList   `cmd:"" help:"List the verified domains."`
			Remove domainRemove `cmd:"" help:"Give a domain up."`
		} `cmd:"" help:"Domains that the company has verified."`
		Next companyNext `cmd:"" help:"List what waits for an admin: people, requests, payments, tokens."`
	} `cmd:"" help:"Companies."`
	Connection struct {
		List   connectionList   `cmd:"" help:"List the connections of a company, with the quirks that were needed."`
		Set    connectionSet    `cmd:"" help:"Pause a connection, or switch quirks off or on."`
		SignOn connectionSignOn `cmd:"" name:"sign-on" help:"Set up single sign-on by a connection, or change it."`
		Show   connectionShow   `cmd:"" help:"Show single sign-on by a connection, and what to enter at the identity provider."`
		Test   connectionTest   `cmd:"" help:"Look at the identity provider, and try a sign-in out that lets nobody in."`
		Rotate connectionRotate `cmd:"" name:"rotate-secret" help:"Put another secret, or another key, in the place of the client's."`
		Quirks connectionQuirks `cmd:"" help:"List the departures from the standard that are tolerated."`
	} `cmd:"" help:"Connections of identity providers."`
	Token struct {
		Create tokenCreate `cmd:"" help:"Make a token for an identity provider; the connection is made on first use."`
		List   tokenList   `cmd:"" help:"List the tokens of a company."`
		Revoke tokenRevoke `cmd:"" help:"End a token at once."`
	} `cmd:"" help:"Tokens of identity providers."`
	Admin struct {
		Set    adminSet    `cmd:"" help:"Add a local admin, or change the role or the password of one."`
		List   adminList   `cmd:"" help:"List the local admins of a company."`
		TOTP   adminTOTP   `cmd:"" name:"totp" help:"Ask a local admin for one-time passwords at sign-in."`
		Remove adminRemove `cmd:"" help:"Remove a local admin."`
	} `cmd:"" help:"Local admins of a company, whom no identity provider sees or can lock out."`
	Key struct {
		Create keyCreate `cmd:"" help:"Make a key by which a local admin's programs call the admin API."`
		List   keyList   `cmd:"" help:"List the keys of a company's admins."`
		Revoke keyRevoke `cmd:"" help:"End a key at once."`
	} `cmd:"" help:"Keys of local admins for the admin API."`
	Session struct {
		List sessionList `cmd:"" help:"List the admins who are signed in."`
		End  sessionEnd  `cmd:"" help:"End a session at once."`
	} `cmd:"" help:"Sessions of admins."`
	Account struct {
		Add         accountAdd         `cmd:"" help:"Add one or several people."`
		Invite      accountInvite      `cmd:"" help:"Send a person a link to set up the account, or another one."`
		Credentials accountCredentials `cmd:"" help:"Give a person a password to begin with."`
		Set         accountSet         `cmd:"" help:"Change what a person is called, their phone extension, or whether they have access."`
		Remove      accountRemove      `cmd:"" help:"Remove a person for good."`
		List        accountList        `cmd:"" help:"List the accounts of a company, or those that wait for something."`
		Assign      accountAssign      `cmd:"" help:"Give a license to a person, or keep any from them, whatever the identity provider asks for."`
		Unassign    accountUnassign    `cmd:"" help:"Take back what assign has said."`
		Approve     accountApprove     `cmd:"" help:"Approve what was asked for without the right to assign licenses."`
		Refuse      accountRefuse      `cmd:"" help:"Refuse it."`
		Promote     accountPromote     `cmd:"" help:"Make a coworker of a guest."`
		Demote      accountDemote      `cmd:"" help:"Make a guest of a coworker."`
		Sessions    accountSessions    `cmd:"" help:"List the people who are signed in."`
		SignOut     accountSignOut     `cmd:"" name:"sign-out" help:"End the sessions of a person, or one of them."`
		Unlink      accountUnlink      `cmd:"" help:"Forget who a person is at the identity provider."`
		Role        accountRole        `cmd:"" help:"Give a coworker a role."`
	} `cmd:"" help:"The people of a company."`
	Secrets struct {
		Rewrap secretsRewrap `cmd:"" help:"Seal all secrets by the newest key."`
	} `cmd:"" help:"What is kept sealed: the secrets of connections and of one-time passwords."`
	Mail struct {
		List mailList `cmd:"" help:"List the outbox, the latest first, with what could not be sent."`
	} `cmd:"" help:"Mails to people."`
	Undo    undoCommand    `cmd:"" help:"Undo what one request did, or what a connection did for a while."`
	Audit   auditCommand   `cmd:"" help:"Show the latest events of a company."`
	Explain explainCommand `cmd:"" help:"Say which license a person has and why, whether they may sign in, and what would change it."`
	Rule    struct {
		Add    ruleAdd    `cmd:"" help:"Give a license to the members of a group, or to those with a value."`
		List   ruleList   `cmd:"" help:"List the license rules of a company, those that win first."`
		Remove ruleRemove `cmd:"" help:"Take a license rule away."`
	} `cmd:"" help:"Rules that give licenses."`
	Schema struct {
		Add    schemaAdd    `cmd:"" help:"Declare a schema by which a company's users or groups have more attributes."`
		List   schemaList   `cmd:"" help:"List the schemas that a company has declared."`
		Show   schemaShow   `cmd:"" help:"Print a declared schema."`
		Remove schemaRemove `cmd:"" help:"Take a schema away that nobody has values of."`
	} `cmd:"" help:"Schemas of a company's own."`
	License struct {
		List    licenseList    `cmd:"" help:"Show the seats of a company."`
		Overage licenseOverage `cmd:"" help:"Let the seats of a license grow by themselves when somebody needs one, up to a number."`
		Seats   licenseSeats   `cmd:"" help:"Set how many seats of a license a company has."`
	} `cmd:"" help:"Licenses and their seats."`
}

// environment is what a command works with.
type environment struct {
	ctx    context.Context
	stdout io.Writer
	stderr io.Writer
}

// Main runs the command line and returns the exit status. It stops what runs when the context ends.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	status := -1
	var c commands
	parser, err := kong.New(&c,
		kong.Name("usher"),
		kong.Description("A SCIM 2.0 identity-provisioning server that gives each account its license out of the company's seats."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(s int) { status = s }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		fmt.Fprintf(stderr, "usher: %v\n", err)
		return statusRefused
	}
	command, err := parser.Parse(args)
	if status >= 0 { // help was asked for and printed
		return status
	}
	if err != nil {
		fmt.Fprintf(stderr, "usher: %v; \"usher --help\" shows the commands\n", err)
		return statusUsage
	}
	if err := command.Run(&environment{ctx: ctx, stdout: stdout, stderr: stderr}); err != nil {
		fmt.Fprintf(stderr, "usher: %v\n", err)
		return statusRefused
	}
	return statusDone
}
