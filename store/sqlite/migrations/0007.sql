-- The condition of a rule that is not about a group, as JSON; grp is empty then.
ALTER TABLE rules ADD COLUMN cond TEXT;
