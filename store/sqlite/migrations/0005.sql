-- Where deleted records stood in lists, so that a walk whose last page ended with one goes on from there. Only the latest are kept.
CREATE TABLE gone (
	n    INTEGER PRIMARY KEY,
	co   INTEGER NOT NULL,
	kind TEXT NOT NULL, -- the table it was in
	id   TEXT NOT NULL,
	pk   INTEGER NOT NULL,
	UNIQUE (co, kind, id)
);
