-- Times are microseconds since 1970 (UTC), lengths are milliseconds.
-- A caller is a keyed hash of 32 bytes; NULL means that the number was withheld.

CREATE TABLE counter (
    name  TEXT    NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT;

-- A row without outcome is the journal of a live call.
CREATE TABLE call (
    id           INTEGER NOT NULL PRIMARY KEY,
    hub          TEXT,
    trunk        TEXT,
    caller       BLOB    CHECK (caller IS NULL OR length(caller) = 32),
    started_at   INTEGER NOT NULL,
    ended_at     INTEGER,
    until_ring   INTEGER,
    wait         INTEGER,
    talk         INTEGER,
    answered_by  TEXT,
    recording    INTEGER,
    message      INTEGER,
    outcome      TEXT,
    reason       TEXT,
    CHECK ((outcome IS NULL) = (ended_at IS NULL)),
    CHECK (outcome IS NULL OR outcome IN ('answered', 'abandoned', 'voicemail', 'rejected', 'failed'))
) STRICT;

CREATE INDEX call_of_hub ON call (hub, id);
CREATE INDEX call_open ON call (id) WHERE outcome IS NULL;

CREATE TABLE call_rung (
    call      INTEGER NOT NULL REFERENCES call (id) ON DELETE CASCADE,
    position  INTEGER NOT NULL,
    volunteer TEXT    NOT NULL,
    rang      INTEGER NOT NULL,
    PRIMARY KEY (call, position)
) STRICT;

CREATE TABLE voicemail (
    recording  INTEGER NOT NULL PRIMARY KEY,
    hub        TEXT    NOT NULL,
    path       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    message    INTEGER,
    complete   INTEGER NOT NULL DEFAULT 0 CHECK (complete IN (0, 1))
) STRICT;

CREATE INDEX voicemail_of_hub ON voicemail (hub, recording);

CREATE TABLE binding (
    id         INTEGER NOT NULL PRIMARY KEY,
    account    TEXT    NOT NULL,
    contact    TEXT    NOT NULL,
    instance   TEXT,
    reg_id     INTEGER,
    path       TEXT    NOT NULL,
    transport  TEXT    NOT NULL CHECK (transport IN ('udp', 'tcp')),
    local      TEXT    NOT NULL,
    remote     TEXT    NOT NULL,
    call_id    TEXT    NOT NULL,
    cseq       INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    user_agent TEXT
) STRICT;

-- Only the newest revision keeps its text, so that a removed secret does not linger.
CREATE TABLE hotline (
    revision   INTEGER NOT NULL PRIMARY KEY,
    hash       TEXT    NOT NULL,
    body       TEXT,
    applied_at INTEGER NOT NULL
) STRICT;

CREATE TABLE ban (
    hub        TEXT    NOT NULL,
    caller     BLOB    NOT NULL CHECK (length(caller) = 32),
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    reason     TEXT,
    PRIMARY KEY (hub, caller)
) STRICT;

CREATE TABLE volunteer_break (
    volunteer TEXT    NOT NULL PRIMARY KEY,
    since     INTEGER NOT NULL
) STRICT;
