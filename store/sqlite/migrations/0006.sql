-- Whether the company pays.
ALTER TABLE companies ADD COLUMN payment TEXT;
ALTER TABLE companies ADD COLUMN payment_at INTEGER;
