-- How far people are with the set-up of their account and what they sign in with, their phone extensions, and the outbox of mails.
ALTER TABLE users ADD COLUMN setup TEXT; -- JSON
ALTER TABLE users ADD COLUMN phone TEXT; -- extension number
CREATE UNIQUE INDEX users_phone ON users (co, phone) WHERE phone IS NOT NULL;
ALTER TABLE companies ADD COLUMN invites TEXT;

CREATE TABLE mails (
	pk       INTEGER PRIMARY KEY,
	id       TEXT NOT NULL UNIQUE,
	ver      INTEGER NOT NULL,
	co       INTEGER NOT NULL,
	account  TEXT,
	kind     TEXT NOT NULL,
	addr     TEXT NOT NULL,
	data     TEXT, -- JSON
	created  INTEGER,
	state    TEXT NOT NULL,
	due      INTEGER,
	attempts INTEGER NOT NULL,
	error    TEXT,
	done     INTEGER
);
CREATE INDEX mails_due ON mails (due, pk) WHERE state IN ('queued', 'sending');
CREATE INDEX mails_done ON mails (done) WHERE done IS NOT NULL;
CREATE INDEX mails_co ON mails (co, pk);
CREATE INDEX mails_account ON mails (co, account, pk) WHERE account IS NOT NULL;
