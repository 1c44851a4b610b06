-- Times are milliseconds since 1970 in UTC, NULL where there is none; empty texts of optional columns are NULL.
-- co is a company's small number, pk a record's place in the order of creation.

CREATE TABLE companies (
	co           INTEGER PRIMARY KEY,
	id           TEXT NOT NULL UNIQUE,
	ver          INTEGER NOT NULL,
	name         TEXT NOT NULL UNIQUE,
	display      TEXT,
	tier         TEXT,
	epoch        INTEGER NOT NULL,
	seat_policy  TEXT,
	hold_for     INTEGER NOT NULL, -- nanoseconds
	guest_policy TEXT,
	created      INTEGER,
	n_users      INTEGER NOT NULL DEFAULT 0,
	n_groups     INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE domains (
	domain TEXT PRIMARY KEY,
	co     INTEGER NOT NULL,
	place  INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX domains_co ON domains (co, place);

CREATE TABLE local_admins (
	pk       INTEGER PRIMARY KEY,
	id       TEXT NOT NULL UNIQUE,
	co       INTEGER NOT NULL,
	login    TEXT NOT NULL,
	password TEXT NOT NULL,
	role     TEXT,
	created  INTEGER,
	UNIQUE (co, login)
);

CREATE TABLE connections (
	pk         INTEGER PRIMARY KEY,
	id         TEXT NOT NULL UNIQUE,
	co         INTEGER NOT NULL,
	name       TEXT NOT NULL,
	mode       TEXT,
	epoch      INTEGER NOT NULL,
	quirks_off TEXT, -- JSON array
	created    INTEGER,
	UNIQUE (co, name)
);

CREATE TABLE tokens (
	pk         INTEGER PRIMARY KEY,
	hash       BLOB NOT NULL UNIQUE, -- SHA-256
	id         TEXT NOT NULL,
	co         INTEGER NOT NULL,
	conn       TEXT,
	scopes     TEXT, -- JSON array
	granted_by TEXT,
	created    INTEGER,
	expires    INTEGER,
	UNIQUE (co, id)
);

CREATE TABLE users (
	pk        INTEGER PRIMARY KEY,
	co        INTEGER NOT NULL,
	id        TEXT NOT NULL,
	un        TEXT NOT NULL, -- user name, folded
	ver       INTEGER NOT NULL,
	gver      INTEGER NOT NULL DEFAULT 0, -- version of the memberships
	n_groups  INTEGER NOT NULL DEFAULT 0,
	ext       TEXT,
	conn      TEXT,
	display   TEXT,
	active    INTEGER NOT NULL,
	created   INTEGER,
	modified  INTEGER,
	license   TEXT,
	lstate    TEXT,
	lreason   TEXT,
	effective TEXT,
	seat      TEXT,
	sstate    TEXT,
	ssince    INTEGER,
	requested INTEGER,
	prio      INTEGER NOT NULL,
	sources   TEXT, -- JSON array
	member    TEXT,
	role      TEXT,
	epoch     INTEGER NOT NULL,
	doc       BLOB,
	UNIQUE (co, id),
	UNIQUE (co, un)
);
CREATE INDEX users_co ON users (co); -- with the row id behind it: pages in order of creation
CREATE INDEX users_modified ON users (co, modified);

-- The dictionary of indexed paths, and the indexed values themselves.
CREATE TABLE attrname (
	a      INTEGER PRIMARY KEY,
	path   TEXT NOT NULL UNIQUE,
	type   INTEGER NOT NULL,
	fold   INTEGER NOT NULL,
	common TEXT NOT NULL, -- the value that is left out
	ready  INTEGER NOT NULL -- 0 while the rows of existing accounts are being made
);
CREATE TABLE attr (
	co INTEGER NOT NULL,
	a  INTEGER NOT NULL,
	v  BLOB NOT NULL, -- bytes, so that order and search are those of the canonical form
	pk INTEGER NOT NULL,
	PRIMARY KEY (co, a, v, pk)
) WITHOUT ROWID;

CREATE TABLE groups (
	pk        INTEGER PRIMARY KEY,
	co        INTEGER NOT NULL,
	id        TEXT NOT NULL,
	dn        TEXT NOT NULL, -- display name, folded
	ver       INTEGER NOT NULL,
	display   TEXT,
	ext       TEXT,
	n_members INTEGER NOT NULL,
	created   INTEGER,
	modified  INTEGER,
	doc       BLOB,
	UNIQUE (co, id),
	UNIQUE (co, dn)
);
CREATE INDEX groups_co ON groups (co);
CREATE INDEX groups_ext ON groups (co, ext) WHERE ext IS NOT NULL;

CREATE TABLE members (
	g INTEGER NOT NULL,
	u INTEGER NOT NULL,
	PRIMARY KEY (g, u)
) WITHOUT ROWID;
CREATE INDEX members_u ON members (u, g);

-- The counts follow seats and waiting by the triggers below. The total may be lowered below what is used: only gains are guarded.
CREATE TABLE pools (
	co       INTEGER NOT NULL,
	sku      TEXT NOT NULL,
	total    INTEGER NOT NULL DEFAULT 0 CHECK (total >= 0),
	reserved INTEGER NOT NULL DEFAULT 0 CHECK (reserved >= 0),
	active   INTEGER NOT NULL DEFAULT 0 CHECK (active >= 0),
	held     INTEGER NOT NULL DEFAULT 0 CHECK (held >= 0),
	waiting  INTEGER NOT NULL DEFAULT 0 CHECK (waiting >= 0),
	PRIMARY KEY (co, sku)
) WITHOUT ROWID;

CREATE TABLE seats (
	co    INTEGER NOT NULL,
	sku   TEXT NOT NULL,
	u     INTEGER NOT NULL,
	state TEXT NOT NULL CHECK (state IN ('reserved', 'active', 'held')),
	since INTEGER,
	PRIMARY KEY (co, sku, u)
) WITHOUT ROWID;
CREATE INDEX seats_held ON seats (co, sku, since, u) WHERE state = 'held';

CREATE TRIGGER seats_guard BEFORE INSERT ON seats
WHEN NOT EXISTS (SELECT 1 FROM pools WHERE co = NEW.co AND sku = NEW.sku AND reserved + active + held < total)
BEGIN
	SELECT RAISE(ABORT, 'no seat left');
END;
CREATE TRIGGER seats_insert AFTER INSERT ON seats BEGIN
	UPDATE pools SET reserved = reserved + (NEW.state = 'reserved'), active = active + (NEW.state = 'active'), held = held + (NEW.state = 'held')
	WHERE co = NEW.co AND sku = NEW.sku;
END;
CREATE TRIGGER seats_delete AFTER DELETE ON seats BEGIN
	UPDATE pools SET reserved = reserved - (OLD.state = 'reserved'), active = active - (OLD.state = 'active'), held = held - (OLD.state = 'held')
	WHERE co = OLD.co AND sku = OLD.sku;
END;
CREATE TRIGGER seats_update AFTER UPDATE OF state ON seats BEGIN
	UPDATE pools SET
		reserved = reserved + (NEW.state = 'reserved') - (OLD.state = 'reserved'),
		active = active + (NEW.state = 'active') - (OLD.state = 'active'),
		held = held + (NEW.state = 'held') - (OLD.state = 'held')
	WHERE co = NEW.co AND sku = NEW.sku;
END;

-- The queues. id stands in the key because it decides between equal requests.
CREATE TABLE waiting (
	co    INTEGER NOT NULL,
	sku   TEXT NOT NULL,
	prio  INTEGER NOT NULL,
	since INTEGER NOT NULL,
	id    TEXT NOT NULL,
	u     INTEGER NOT NULL,
	PRIMARY KEY (co, sku, prio DESC, since, id)
) WITHOUT ROWID;
CREATE TRIGGER waiting_insert AFTER INSERT ON waiting BEGIN
	INSERT INTO pools (co, sku, waiting) VALUES (NEW.co, NEW.sku, 1) ON CONFLICT (co, sku) DO UPDATE SET waiting = waiting + 1;
END;
CREATE TRIGGER waiting_delete AFTER DELETE ON waiting BEGIN
	UPDATE pools SET waiting = waiting - 1 WHERE co = OLD.co AND sku = OLD.sku;
END;

CREATE TABLE tombstones (
	co      INTEGER NOT NULL,
	conn    TEXT NOT NULL,
	ext     TEXT NOT NULL,
	deleted INTEGER NOT NULL,
	id      TEXT NOT NULL,
	pk      INTEGER NOT NULL, -- of the deleted account: the place of one that takes the id over
	ver     INTEGER NOT NULL,
	epoch   INTEGER NOT NULL,
	created INTEGER,
	PRIMARY KEY (co, conn, ext, deleted, id)
) WITHOUT ROWID;
CREATE INDEX tombstones_deleted ON tombstones (deleted);

CREATE TABLE rules (
	id      TEXT PRIMARY KEY,
	co      INTEGER NOT NULL,
	grp     TEXT NOT NULL, -- the group's id: a rule outlives its group
	license TEXT NOT NULL,
	prio    INTEGER NOT NULL,
	author  TEXT,
	created INTEGER
) WITHOUT ROWID;
CREATE INDEX rules_co ON rules (co);

CREATE TABLE sweeps (
	pk         INTEGER PRIMARY KEY,
	id         TEXT NOT NULL UNIQUE,
	co         INTEGER NOT NULL,
	cause      TEXT,
	cursor     TEXT,
	actor_kind TEXT,
	actor_id   TEXT,
	door       TEXT,
	request    TEXT,
	created    INTEGER,
	holder     TEXT,
	until      INTEGER
);

CREATE TABLE events (
	co         INTEGER NOT NULL,
	seq        INTEGER NOT NULL,
	ts         INTEGER,
	kind       TEXT,
	action     TEXT,
	actor_kind TEXT,
	actor_id   TEXT,
	door       TEXT,
	request    TEXT,
	target     TEXT,
	detail     TEXT, -- JSON
	hash       BLOB NOT NULL,
	PRIMARY KEY (co, seq)
) WITHOUT ROWID;
