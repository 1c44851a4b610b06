-- How far a pool may grow by itself, and whose requests wait for an approval.
ALTER TABLE pools ADD COLUMN ceiling INTEGER NOT NULL DEFAULT 0;
ALTER TABLE companies ADD COLUMN approval TEXT;
