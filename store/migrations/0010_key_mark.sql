-- Which key files of the data folder the rows were written with, by what may be known of a key.
CREATE TABLE key_mark (
    key  TEXT NOT NULL PRIMARY KEY,
    mark BLOB NOT NULL CHECK (length(mark) = 32)
) STRICT;
