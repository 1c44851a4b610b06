-- Groups in groups. A group never is in itself, however many groups are between.
CREATE TABLE subgroups (
	g     INTEGER NOT NULL,
	child INTEGER NOT NULL,
	PRIMARY KEY (g, child)
) WITHOUT ROWID;
CREATE INDEX subgroups_child ON subgroups (child, g);
ALTER TABLE groups ADD COLUMN n_groups INTEGER NOT NULL DEFAULT 0;
