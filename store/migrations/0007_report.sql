-- When a call was first reported as abuse, and by whom; nobody any more once they are erased.
ALTER TABLE call ADD COLUMN reported_at INTEGER;
ALTER TABLE call ADD COLUMN reported_by BLOB REFERENCES person (id);
