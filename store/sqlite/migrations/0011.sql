-- Keys of local admins for the admin API.
CREATE TABLE admin_keys (
	pk      INTEGER PRIMARY KEY,
	hash    BLOB NOT NULL UNIQUE, -- SHA-256
	id      TEXT NOT NULL,
	co      INTEGER NOT NULL,
	admin   TEXT NOT NULL,
	created INTEGER,
	expires INTEGER,
	UNIQUE (co, id)
);
