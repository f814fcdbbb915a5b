"""Verifies an audit trail as docs/protocol/audit-v1.md says.

Reads one JSON request: the trail's id, its entries, the end of the part that
expired and when it did, the head, and entries of the key log. Prints how many
entries fit.
"""

import json
import struct
import sys

from notation import Refused, digest

AUDIT_ENTRY = "hl/v1/audit/audit-entry"
TRAIL = 3
EXPIRED = 215


def verify(trail, start, expired_at, entries, head, log):
    number, value = start
    hashes = {number: value}
    is_told = number == 0
    for entry in entries:
        if len(entry) != 68 or entry[:16] != trail:
            raise Refused("an entry is of another trail")
        number += 1
        if entry[16:24] != struct.pack(">Q", number):
            raise Refused(f"entry {number} is missing")
        value = digest(AUDIT_ENTRY, value + entry)
        hashes[number] = value
        time, kind = struct.unpack(">qH", entry[24:34])
        is_told |= (time, kind) == (expired_at, EXPIRED)
    if not is_told:
        raise Refused("the trail does not tell that entries expired")
    if (number, value) != head:
        raise Refused("the end of the trail is not where it was")
    published = {}
    for leaf in log:
        kind, of, seqno, logged = struct.unpack(">B16sI32s", leaf)
        if (kind, of) != (TRAIL, trail):
            continue
        if published.setdefault(seqno, logged) != logged:
            raise Refused("the key log has two trails")
        if seqno < start[0]:
            continue
        if hashes.get(seqno) != logged:
            raise Refused("the key log has another trail")
    return len(entries)


def main():
    request = json.load(sys.stdin)
    place = lambda pair: (pair[0], bytes.fromhex(pair[1]))
    listed = lambda name: [bytes.fromhex(text) for text in request[name]]
    count = verify(
        bytes.fromhex(request["trail"]),
        place(request["start"]),
        request["expired_at"],
        listed("entries"),
        place(request["head"]),
        listed("log"),
    )
    json.dump(count, sys.stdout)


try:
    main()
except Refused as refusal:
    sys.exit(str(refusal))
