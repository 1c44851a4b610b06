-- Connections that follow the standard to the letter, and what was tolerated for the others.
ALTER TABLE connections ADD COLUMN strict INTEGER NOT NULL DEFAULT 0;
CREATE TABLE quirks (
	co     INTEGER NOT NULL,
	conn   TEXT NOT NULL,
	quirk  TEXT NOT NULL,
	n      INTEGER NOT NULL,
	first  INTEGER,
	last   INTEGER,
	PRIMARY KEY (co, conn, quirk)
) WITHOUT ROWID;
ALTER TABLE events ADD COLUMN quirks TEXT; -- JSON array
