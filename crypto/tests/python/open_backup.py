"""Opens a backup; written from docs/protocol/backup-v1.md.

usage: open_backup.py KEY_FILE BACKUP_FILE

Writes the facts and the parts to standard output as JSON. A file that does not
open ends the program with status 1 and one sentence.
"""

import hashlib
import json
import sys

from cryptography.cobblestone import Cobblestone256Decryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from open_voicemail import READER_KEY_ID, Refused as BadKey, decode_key
from parts import SUITE, Input, Refused, bind, public_of

BACKUP_KEY_WRAP = "hl/v1/backup/backup-key-wrap"
BACKUP_BODY = "hl/v1/backup/backup-body"
MAX_PIECE = 1 << 20


def content_key(secret: X25519PrivateKey, header: bytes, source: Input) -> bytes:
    label = READER_KEY_ID.decode()
    mine = hashlib.sha256(bind(label, public_of(secret))).digest()[:16]
    count = source.integer(1)
    if not 1 <= count <= 16:
        raise Refused("the number of keys is out of bounds")
    entries = [(source.take(16), source.take(80)) for _ in range(count)]
    sealed = dict(reversed(entries)).get(mine)
    if sealed is None:
        raise Refused("not made for this key")
    try:
        return SUITE.decrypt(sealed, secret, info=bind(BACKUP_KEY_WRAP, header + mine))
    except InvalidTag:
        raise Refused("the entry for this key does not open") from None


def body_of(key: bytes, header: bytes, sealed: bytes) -> bytes:
    decryptor = Cobblestone256Decryptor(key, bind(BACKUP_BODY, header))
    if len(sealed) < 56:
        raise Refused("the end is missing")
    try:
        return decryptor.update(sealed) + decryptor.finalize()
    except InvalidTag:
        raise Refused("the body does not open") from None


def part_of(source: Input) -> bytes:
    pieces = []
    while length := source.integer(4):
        if length > MAX_PIECE:
            raise Refused("a piece is too long")
        pieces.append(source.take(length))
    return b"".join(pieces)


def tables_of(rows: bytes) -> dict:
    source = Input(rows)
    if source.take(16) != b"centralita rows\n" or source.integer(2) != 1:
        raise Refused("not rows of format 1")
    source.take(4)
    counts, columns, total = {}, 0, 0
    while (mark := source.integer(1)) != 255:
        if mark == 1:
            table = source.take(source.integer(1)).decode()
            columns = source.integer(1)
            for _ in range(columns):
                source.take(source.integer(1))
            counts[table] = 0
            continue
        if mark != 2:
            raise Refused("an unknown mark among the rows")
        for _ in range(columns):
            kind = source.integer(1)
            if kind == 1:
                source.take(8)
            elif kind in (2, 3):
                source.take(source.integer(4))
            elif kind != 0:
                raise Refused("an unknown value among the rows")
        counts[table] += 1
        total += 1
    if source.integer(8) != total:
        raise Refused("rows are missing")
    digest = hashlib.sha256(rows[: source.at]).digest()
    if source.take(32) != digest:
        raise Refused("the digest of the rows does not match")
    source.end()
    return counts


def check_path(path: str) -> None:
    names = path.split("/")
    if not 1 <= len(names) <= 4 or len(path.encode()) > 512:
        raise Refused("a path is out of bounds")
    if any(name in ("", ".", "..") or "\0" in name for name in names):
        raise Refused("a path leads elsewhere")
    if path.startswith(("centralita.db", "centralita.lock", "database.url", ".restore")):
        raise Refused("a path is taken")


def archive_of(body: bytes) -> dict:
    source = Input(body)
    if source.take(16) != b"centralita pack\n":
        raise Refused("not an archive")
    found, count = {"tables": None, "files": {}}, 0
    while (kind := source.integer(1)) != 255:
        name, content = source.vector().decode(), part_of(source)
        if kind == 1 and count == 0 and not name:
            found["tables"] = tables_of(content)
        elif kind == 2 and count > 0 and name not in found["files"]:
            check_path(name)
            found["files"][name] = hashlib.sha256(content).hexdigest()
        else:
            raise Refused("a part out of place")
        count += 1
    if source.integer(4) != count or count == 0:
        raise Refused("parts are missing")
    source.end()
    return found


def main() -> None:
    key_file, backup_file = sys.argv[1:]
    with open(key_file, encoding="utf-8") as file:
        secret = X25519PrivateKey.from_private_bytes(decode_key(file.read(), "hlsec"))
    with open(backup_file, "rb") as file:
        source = Input(file.read())
    source.front(b"HLBK")
    if source.integer(1) != 1:
        raise Refused("unknown suite")
    identity, created_at = source.take(16), source.integer(8)
    header = source.data[: source.at]
    key = content_key(secret, header, source)
    body = body_of(key, header, source.data[source.at :])
    facts = {"id": identity.hex(), "created_at_ms": created_at}
    print(json.dumps(facts | archive_of(body)))


if __name__ == "__main__":
    try:
        main()
    except (Refused, BadKey) as refusal:
        sys.exit(f"refused: {refusal}")
