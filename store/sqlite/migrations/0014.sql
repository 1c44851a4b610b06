-- Requests that may be repeated without being carried out twice.
CREATE TABLE idempotency (
	key     BLOB PRIMARY KEY, -- SHA-256
	request BLOB NOT NULL, -- SHA-256
	created INTEGER,
	status  INTEGER NOT NULL,
	answer  TEXT -- sealed
) WITHOUT ROWID;
CREATE INDEX idempotency_created ON idempotency (created);
