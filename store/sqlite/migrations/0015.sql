-- Single sign-on: the settings of connections, who people are at identity providers, sign-ins that are under way, and sessions.
ALTER TABLE connections ADD COLUMN sign_on TEXT; -- JSON
ALTER TABLE connections ADD COLUMN sign_on_ver INTEGER NOT NULL DEFAULT 0;
ALTER TABLE companies ADD COLUMN local_sign_in TEXT;
ALTER TABLE companies ADD COLUMN session_idle INTEGER NOT NULL DEFAULT 0; -- nanoseconds
ALTER TABLE companies ADD COLUMN session_max INTEGER NOT NULL DEFAULT 0; -- nanoseconds

ALTER TABLE users ADD COLUMN iss TEXT;
ALTER TABLE users ADD COLUMN sub TEXT;
ALTER TABLE users ADD COLUMN linked_by TEXT; -- the connection's id
ALTER TABLE users ADD COLUMN linked INTEGER;
CREATE UNIQUE INDEX users_identity ON users (co, iss, sub) WHERE sub IS NOT NULL;

CREATE TABLE sign_ins (
	state    BLOB PRIMARY KEY, -- SHA-256
	browser  BLOB NOT NULL, -- SHA-256
	co       INTEGER NOT NULL,
	conn     TEXT NOT NULL,
	ver      INTEGER NOT NULL,
	nonce    TEXT NOT NULL,
	verifier TEXT NOT NULL, -- sealed
	ret      TEXT,
	session  BLOB, -- SHA-256
	test     INTEGER NOT NULL,
	created  INTEGER,
	used     INTEGER
) WITHOUT ROWID;
CREATE INDEX sign_ins_created ON sign_ins (created);

CREATE TABLE logout_tokens (
	conn    TEXT NOT NULL,
	id      TEXT NOT NULL,
	expires INTEGER NOT NULL,
	PRIMARY KEY (conn, id)
) WITHOUT ROWID;
CREATE INDEX logout_tokens_expires ON logout_tokens (expires);

CREATE TABLE sessions (
	hash     BLOB PRIMARY KEY, -- SHA-256
	id       TEXT NOT NULL, -- in the order of creation
	co       INTEGER NOT NULL,
	account  TEXT NOT NULL,
	u        INTEGER NOT NULL, -- the account's pk, which no other account will have
	conn     TEXT,
	sub      TEXT,
	sid      TEXT,
	aepoch   INTEGER NOT NULL, -- of the account
	cepoch   INTEGER NOT NULL, -- of the company
	nepoch   INTEGER NOT NULL, -- of the connection
	addr     TEXT,
	agent    TEXT,
	created  INTEGER,
	seen     INTEGER,
	expires  INTEGER,
	UNIQUE (co, id)
) WITHOUT ROWID; -- found in one step by the hash
-- Apart, so that the sessions, which every request asks for, stay small.
CREATE TABLE session_tokens (
	pk       INTEGER PRIMARY KEY,
	hash     BLOB NOT NULL UNIQUE, -- of the session
	id_token TEXT NOT NULL, -- sealed
	expires  INTEGER
);
CREATE INDEX session_tokens_expires ON session_tokens (expires);
CREATE INDEX sessions_account ON sessions (co, account, id);
CREATE INDEX sessions_sub ON sessions (conn, sub) WHERE conn IS NOT NULL;
CREATE INDEX sessions_sid ON sessions (conn, sid) WHERE sid IS NOT NULL;
CREATE INDEX sessions_expires ON sessions (expires);
