-- What a locked device proves its requests with; it lets nobody do more than look.
ALTER TABLE session ADD COLUMN view_key BLOB CHECK (view_key IS NULL OR length(view_key) = 32);
