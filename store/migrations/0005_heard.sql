-- What the server signed of a message when it was whole, and who has heard it first.
ALTER TABLE voicemail ADD COLUMN header BLOB;
ALTER TABLE voicemail ADD COLUMN heard_at INTEGER;
ALTER TABLE voicemail ADD COLUMN heard_by BLOB REFERENCES person (id);
