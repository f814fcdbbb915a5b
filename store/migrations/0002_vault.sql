-- What people keep: identities, keys, records. Everything that has a meaning is sealed before it
-- gets here; bodies, links and manifests are opaque. Ids are 16 random bytes.

-- For those who may call back; sealed to them.
ALTER TABLE call ADD COLUMN caller_sealed BLOB;
CREATE INDEX call_of_caller ON call (caller) WHERE caller IS NOT NULL;

-- `name` is the hub's name in the hotline file.
CREATE TABLE hub (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name       TEXT    NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE person (
    id          BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    profile     BLOB,
    status      TEXT    NOT NULL CHECK (status IN ('active', 'deactivated', 'erased')),
    super_admin INTEGER NOT NULL DEFAULT 0 CHECK (super_admin IN (0, 1)),
    created_at  INTEGER NOT NULL,
    CHECK (status <> 'erased' OR profile IS NULL)
) STRICT;

CREATE TABLE device (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    person     BLOB    NOT NULL REFERENCES person (id),
    sign_key   BLOB    NOT NULL CHECK (length(sign_key) = 32),
    added_at   INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;

CREATE INDEX device_of_person ON device (person);

-- The links are signed and chained; the rows only number them.
CREATE TABLE sigchain_link (
    person BLOB    NOT NULL REFERENCES person (id),
    seqno  INTEGER NOT NULL CHECK (seqno >= 1),
    body   BLOB    NOT NULL,
    PRIMARY KEY (person, seqno)
) STRICT;

CREATE TABLE roster_link (
    hub   BLOB    NOT NULL REFERENCES hub (id),
    seqno INTEGER NOT NULL CHECK (seqno >= 1),
    body  BLOB    NOT NULL,
    PRIMARY KEY (hub, seqno)
) STRICT;

-- Derived from the roster. A role of the hub's own is named by its id.
CREATE TABLE hub_role (
    hub         BLOB    NOT NULL REFERENCES hub (id),
    id          BLOB    NOT NULL CHECK (length(id) = 16),
    name        BLOB    NOT NULL,
    permissions INTEGER NOT NULL,
    PRIMARY KEY (hub, id)
) STRICT;

CREATE TABLE membership (
    hub      BLOB    NOT NULL REFERENCES hub (id),
    person   BLOB    NOT NULL REFERENCES person (id),
    role     TEXT    NOT NULL CHECK (role IN ('volunteer', 'hub-admin', 'reviewer', 'reporter', 'own')),
    own_role BLOB,
    since    INTEGER NOT NULL,
    PRIMARY KEY (hub, person),
    FOREIGN KEY (hub, own_role) REFERENCES hub_role (hub, id),
    CHECK ((role = 'own') = (own_role IS NOT NULL))
) STRICT;

CREATE INDEX membership_of_person ON membership (person);

CREATE TABLE hub_key (
    hub        BLOB    NOT NULL REFERENCES hub (id),
    epoch      INTEGER NOT NULL CHECK (epoch >= 1),
    body       BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (hub, epoch)
) STRICT;

CREATE TABLE hub_key_wrap (
    hub    BLOB    NOT NULL,
    epoch  INTEGER NOT NULL,
    person BLOB    NOT NULL REFERENCES person (id),
    wrap   BLOB    NOT NULL,
    PRIMARY KEY (hub, epoch, person),
    FOREIGN KEY (hub, epoch) REFERENCES hub_key (hub, epoch)
) STRICT;

-- The server's share of a vault's key, with its count of wrong tries.
CREATE TABLE vault_share (
    vault  BLOB NOT NULL PRIMARY KEY CHECK (length(vault) = 16),
    person BLOB NOT NULL REFERENCES person (id),
    body   BLOB NOT NULL
) STRICT;

-- A revision without body was erased.
CREATE TABLE record (
    hub               BLOB    NOT NULL REFERENCES hub (id),
    id                BLOB    NOT NULL CHECK (length(id) = 16),
    revision          INTEGER NOT NULL CHECK (revision >= 1),
    kind              INTEGER NOT NULL,
    parent            BLOB    NOT NULL CHECK (length(parent) = 32),
    author            BLOB    REFERENCES person (id),
    call              INTEGER,
    header            BLOB,
    body              BLOB,
    manifest_revision INTEGER NOT NULL CHECK (manifest_revision >= 1),
    manifest          BLOB,
    created_at        INTEGER NOT NULL,
    PRIMARY KEY (hub, id, revision),
    CHECK ((body IS NULL) = (manifest IS NULL)),
    CHECK ((body IS NULL) = (header IS NULL))
) STRICT;

CREATE INDEX record_of_author ON record (hub, author);
CREATE INDEX record_of_call ON record (hub, call) WHERE call IS NOT NULL;

-- The blind index: a keyed hash of a word, under a key that only clients hold.
CREATE TABLE record_token (
    hub    BLOB    NOT NULL REFERENCES hub (id),
    field  INTEGER NOT NULL,
    token  BLOB    NOT NULL CHECK (length(token) = 16),
    record BLOB    NOT NULL,
    PRIMARY KEY (hub, field, token, record)
) STRICT;

CREATE INDEX token_of_record ON record_token (hub, record);

CREATE TABLE tombstone (
    hub       BLOB    NOT NULL REFERENCES hub (id),
    record    BLOB    NOT NULL,
    body      BLOB    NOT NULL,
    erased_at INTEGER NOT NULL,
    PRIMARY KEY (hub, record)
) STRICT;

CREATE TABLE voicemail_reader (
    recording INTEGER NOT NULL REFERENCES voicemail (recording) ON DELETE CASCADE,
    person    BLOB    NOT NULL REFERENCES person (id),
    wrap      BLOB,
    PRIMARY KEY (recording, person)
) STRICT;

CREATE TABLE invite (
    code       BLOB    NOT NULL PRIMARY KEY CHECK (length(code) = 32),
    hub        BLOB    NOT NULL REFERENCES hub (id),
    role       TEXT    NOT NULL,
    own_role   BLOB,
    invited_by BLOB    NOT NULL REFERENCES person (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER,
    used_by    BLOB    REFERENCES person (id),
    FOREIGN KEY (hub, own_role) REFERENCES hub_role (hub, id),
    CHECK ((used_at IS NULL) = (used_by IS NULL))
) STRICT;

CREATE INDEX invite_of_hub ON invite (hub, created_at);

CREATE TABLE session (
    token      BLOB    NOT NULL PRIMARY KEY CHECK (length(token) = 32),
    person     BLOB    NOT NULL REFERENCES person (id),
    device     BLOB    NOT NULL REFERENCES device (id),
    sign_key   BLOB    NOT NULL CHECK (length(sign_key) = 32),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX session_of_person ON session (person);
CREATE INDEX session_of_device ON session (device);

-- One chain per hub, and one of the installation under the id of sixteen zeros.
CREATE TABLE audit_head (
    chain BLOB    NOT NULL PRIMARY KEY CHECK (length(chain) = 16),
    seqno INTEGER NOT NULL,
    hash  BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE TABLE audit (
    chain        BLOB    NOT NULL REFERENCES audit_head (chain),
    seqno        INTEGER NOT NULL CHECK (seqno >= 1),
    at           INTEGER NOT NULL,
    kind         INTEGER NOT NULL,
    actor        BLOB,
    subject_kind INTEGER NOT NULL,
    subject      BLOB    NOT NULL CHECK (length(subject) = 16),
    hash         BLOB    NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (chain, seqno)
) STRICT;

CREATE INDEX audit_at ON audit (chain, at);

-- What is left of entries that expired: the hash that the next entry is chained to.
CREATE TABLE audit_segment (
    chain      BLOB    NOT NULL REFERENCES audit_head (chain),
    last       INTEGER NOT NULL,
    hash       BLOB    NOT NULL CHECK (length(hash) = 32),
    last_at    INTEGER NOT NULL,
    expired_at INTEGER NOT NULL,
    PRIMARY KEY (chain, last)
) STRICT;

-- The key-transparency log: its leaves from 0, and the checkpoints that were signed.
CREATE TABLE log_leaf (
    position INTEGER NOT NULL PRIMARY KEY CHECK (position >= 0),
    body     BLOB    NOT NULL
) STRICT;

CREATE TABLE log_checkpoint (
    size INTEGER NOT NULL PRIMARY KEY,
    body TEXT    NOT NULL
) STRICT;
