-- The guard against mass losses: its limits, its state, and what it counts.
ALTER TABLE companies ADD COLUMN loss_min INTEGER NOT NULL DEFAULT 0;
ALTER TABLE companies ADD COLUMN loss_percent INTEGER NOT NULL DEFAULT 0;
ALTER TABLE connections ADD COLUMN breaker TEXT;
ALTER TABLE connections ADD COLUMN breaker_since INTEGER;
CREATE TABLE losses (
	co   INTEGER NOT NULL,
	conn TEXT NOT NULL,
	at   INTEGER NOT NULL,
	u    INTEGER NOT NULL,
	PRIMARY KEY (co, conn, at, u)
) WITHOUT ROWID;
