-- What the panel needs: logins that can be renewed and revoked, passkeys, ways back in, the plan
-- of the hotline file, settings, files.

-- The plan, derived from the hotline file and replaced with it. A hub is named as in the file.
-- `days` has bit 0 for Monday to bit 6 for Sunday; a shift that ends at or before its beginning
-- ends on the next day.
CREATE TABLE shift (
    hub         TEXT    NOT NULL,
    position    INTEGER NOT NULL,
    name        TEXT    NOT NULL,
    days        INTEGER NOT NULL CHECK (days BETWEEN 1 AND 127),
    from_minute INTEGER NOT NULL CHECK (from_minute BETWEEN 0 AND 1439),
    to_minute   INTEGER NOT NULL CHECK (to_minute BETWEEN 0 AND 1439),
    PRIMARY KEY (hub, position)
) STRICT;

CREATE TABLE shift_member (
    hub      TEXT    NOT NULL,
    shift    INTEGER NOT NULL,
    kind     TEXT    NOT NULL CHECK (kind IN ('volunteer', 'group')),
    name     TEXT    NOT NULL,
    PRIMARY KEY (hub, shift, kind, name),
    FOREIGN KEY (hub, shift) REFERENCES shift (hub, position) ON DELETE CASCADE
) STRICT;

CREATE TABLE ring_group (
    hub  TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('ring', 'fallback')),
    PRIMARY KEY (hub, kind, name)
) STRICT;

CREATE TABLE ring_group_member (
    hub       TEXT NOT NULL,
    kind      TEXT NOT NULL,
    name      TEXT NOT NULL,
    volunteer TEXT NOT NULL,
    PRIMARY KEY (hub, kind, name, volunteer),
    FOREIGN KEY (hub, kind, name) REFERENCES ring_group (hub, kind, name) ON DELETE CASCADE
) STRICT;

-- Which person a volunteer of the hotline file is. Outlives the file, in case they come back.
CREATE TABLE phone_account (
    volunteer TEXT    NOT NULL PRIMARY KEY,
    person    BLOB    REFERENCES person (id),
    in_file   INTEGER NOT NULL CHECK (in_file IN (0, 1))
) STRICT;

CREATE INDEX account_of_person ON phone_account (person) WHERE person IS NOT NULL;

-- Everybody logs in again: what was there had no token for renewal.
DROP TABLE session;

CREATE TABLE session (
    id                 BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    person             BLOB    NOT NULL REFERENCES person (id),
    device             BLOB    NOT NULL REFERENCES device (id),
    sign_key           BLOB    NOT NULL CHECK (length(sign_key) = 32),
    created_at         INTEGER NOT NULL,
    seen_at            INTEGER NOT NULL,
    access             BLOB    NOT NULL UNIQUE CHECK (length(access) = 32),
    access_expires_at  INTEGER NOT NULL,
    refresh            BLOB    NOT NULL UNIQUE CHECK (length(refresh) = 32),
    refresh_expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX session_of_person ON session (person);
CREATE INDEX session_of_device ON session (device);

-- Tokens for renewal that were used: one that is shown again was stolen.
CREATE TABLE session_spent (
    refresh    BLOB    NOT NULL PRIMARY KEY CHECK (length(refresh) = 32),
    session    BLOB    NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX spent_of_session ON session_spent (session);

CREATE TABLE passkey (
    credential BLOB    NOT NULL PRIMARY KEY CHECK (length(credential) BETWEEN 1 AND 1023),
    person     BLOB    NOT NULL REFERENCES person (id),
    device     BLOB    REFERENCES device (id),
    body       BLOB    NOT NULL,
    name       BLOB    NOT NULL,
    counter    INTEGER NOT NULL CHECK (counter >= 0),
    created_at INTEGER NOT NULL,
    used_at    INTEGER
) STRICT;

CREATE INDEX passkey_of_person ON passkey (person);

-- Opens with a recovery key on paper, which the server never sees.
CREATE TABLE recovery_escrow (
    person BLOB    NOT NULL PRIMARY KEY REFERENCES person (id),
    body   BLOB    NOT NULL,
    set_at INTEGER NOT NULL
) STRICT;

-- A code that was used has no escrow any more.
CREATE TABLE backup_code (
    person   BLOB    NOT NULL REFERENCES person (id),
    verifier BLOB    NOT NULL CHECK (length(verifier) = 32),
    escrow   BLOB,
    set_at   INTEGER NOT NULL,
    used_at  INTEGER,
    PRIMARY KEY (person, verifier),
    CHECK ((escrow IS NULL) = (used_at IS NOT NULL))
) STRICT;

CREATE TABLE items_key (
    person     BLOB    NOT NULL REFERENCES person (id),
    generation INTEGER NOT NULL CHECK (generation >= 1),
    body       BLOB    NOT NULL,
    PRIMARY KEY (person, generation)
) STRICT;

-- The hash of the code with which the first admin comes in. At most one row.
CREATE TABLE bootstrap (
    one        INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    code       BLOB    NOT NULL CHECK (length(code) = 32),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER,
    used_by    BLOB    REFERENCES person (id),
    CHECK ((used_at IS NULL) = (used_by IS NULL))
) STRICT;

CREATE TABLE hub_setting (
    hub        BLOB    NOT NULL REFERENCES hub (id),
    topic      INTEGER NOT NULL,
    revision   INTEGER NOT NULL CHECK (revision >= 1),
    body       BLOB    NOT NULL,
    author     BLOB    NOT NULL REFERENCES person (id),
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (hub, topic)
) STRICT;

-- 0: for all whom the role allows; 1: for the author alone.
ALTER TABLE record ADD COLUMN visibility INTEGER NOT NULL DEFAULT 0 CHECK (visibility IN (0, 1));

-- The sealed body of a record that is a file; the record itself comes when all of it is here.
CREATE TABLE attachment (
    hub         BLOB    NOT NULL REFERENCES hub (id),
    record      BLOB    NOT NULL CHECK (length(record) = 16),
    attached_to BLOB    CHECK (attached_to IS NULL OR length(attached_to) = 16),
    author      BLOB    NOT NULL REFERENCES person (id),
    size        INTEGER NOT NULL CHECK (size > 0),
    complete    INTEGER NOT NULL DEFAULT 0 CHECK (complete IN (0, 1)),
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (hub, record)
) STRICT;

CREATE INDEX attachment_of_record ON attachment (hub, attached_to) WHERE attached_to IS NOT NULL;
CREATE INDEX attachment_begun ON attachment (author) WHERE complete = 0;

CREATE TABLE attachment_chunk (
    hub      BLOB    NOT NULL,
    record   BLOB    NOT NULL,
    position INTEGER NOT NULL CHECK (position >= 0),
    body     BLOB    NOT NULL,
    PRIMARY KEY (hub, record, position),
    FOREIGN KEY (hub, record) REFERENCES attachment (hub, record) ON DELETE CASCADE
) STRICT;
