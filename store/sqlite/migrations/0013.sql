-- Sessions of admins, and their one-time passwords.
CREATE TABLE admin_sessions (
	pk         INTEGER PRIMARY KEY,
	hash       BLOB NOT NULL UNIQUE, -- SHA-256
	id         TEXT NOT NULL,
	co         INTEGER NOT NULL,
	kind       TEXT NOT NULL,
	admin      TEXT NOT NULL,
	credential BLOB NOT NULL, -- SHA-256
	created    INTEGER,
	seen       INTEGER,
	expires    INTEGER,
	UNIQUE (co, id)
);
ALTER TABLE local_admins ADD COLUMN totp TEXT; -- sealed
ALTER TABLE local_admins ADD COLUMN totp_step INTEGER NOT NULL DEFAULT 0;
