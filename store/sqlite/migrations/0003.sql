-- The extension schemas that companies have declared.
CREATE TABLE schemas (
	pk      INTEGER PRIMARY KEY,
	co      INTEGER NOT NULL,
	urn     TEXT NOT NULL COLLATE NOCASE,
	type    TEXT NOT NULL,
	doc     BLOB NOT NULL,
	created INTEGER,
	UNIQUE (co, urn)
);
ALTER TABLE companies ADD COLUMN n_schemas INTEGER NOT NULL DEFAULT 0; -- changes of the schemas so far
