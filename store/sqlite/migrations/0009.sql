-- Roles: what asks for them, the rules that give them, and how high connections can go.
ALTER TABLE users ADD COLUMN roles TEXT; -- JSON array
ALTER TABLE rules ADD COLUMN role TEXT;
ALTER TABLE companies ADD COLUMN role_ceiling TEXT;
