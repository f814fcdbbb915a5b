-- Somebody else may take over a caller whose first volunteer's line breaks.
ALTER TABLE call_rung ADD COLUMN answered INTEGER NOT NULL DEFAULT 0 CHECK (answered IN (0, 1));
