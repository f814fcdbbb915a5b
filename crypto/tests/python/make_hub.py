"""Makes a hub: its roster, and what is sealed to its members; written from
docs/protocol/hub-v1.md.

Standard input is JSON: a person with another program's device card for them, a
hub, and the sigchain of a second person, bytes in hexadecimal. Standard output
is JSON with the sigchains, the roster and what is sealed, and with what a
member should find.
"""

import hashlib
import hmac
import json
import os
import sys

from make_sigchain import TIME_MS, Person, chain_file, life
from parts import bind, box, derive, hash_of, seal, sign, x_only
from read_hub import (
    BLIND_INDEX_KEY,
    BLIND_INDEX_TERM,
    HUB_EVENT_BODY,
    HUB_EVENT_KEY,
    HUB_KEY_COMMITMENT,
    HUB_KEY_WRAP,
    HUB_ROSTER_LINK,
    HUB_SEARCH_ROOT,
    HUB_SETTINGS_BODY,
    HUB_TOPIC,
)
from read_sigchain import SIGCHAIN_HASH, read_chain, transport_scalar, u32

ADMIN, VOLUNTEER, REVIEWER = 1, 2, 3
EVENT = "llamada nueva".encode()
SETTINGS = '{"name": "línea nocturna"}'.encode() + b" " * 1_100
TERM, NORMALISED, CASE_NUMBER = "  CASO \t 4711-B ", "caso 4711-b", 4
INVITE_SECRET = "hl/v1/hub/invite-secret"
INVITE_VOUCHER = "hl/v1/hub/invite-voucher"


def u16(number: int) -> bytes:
    return number.to_bytes(2, "big")


def define(role: int, flags: int) -> bytes:
    return b"\x01" + u16(role) + bytes([flags]) + (0x8000_0000_0000_0001).to_bytes(8, "big")


def add(user: bytes, role: int, head: bytes) -> bytes:
    return b"\x02" + user + u16(role) + head


class HubKey:
    def __init__(self, hub: bytes, epoch: int):
        self.key, self.epoch, self.scope = os.urandom(32), epoch, hub + u32(epoch)

    def announced(self) -> bytes:
        return b"\x06" + u32(self.epoch) + derive(self.key, HUB_KEY_COMMITMENT, self.scope)

    def wrap(self, roster_head: bytes, user: bytes, generation: int, public: bytes) -> bytes:
        reader = user + u32(generation)
        sealed = seal(public, HUB_KEY_WRAP, self.scope + roster_head + reader, self.key)
        return b"HLHK\x01" + self.scope + reader + sealed

    def event(self, sender: bytes, transport: bytes, kind: int, second: int) -> bytes:
        key = derive(self.key, HUB_EVENT_KEY, self.scope + sender)
        context = self.scope + sender + transport + u32(kind)
        context += (second // 60).to_bytes(8, "big")
        padded = (u16(len(EVENT)) + EVENT).ljust(256, b"\0")
        return b"HLHE\x01" + u32(self.epoch) + box(key, HUB_EVENT_BODY, context, padded)

    def settings(self, revision: int) -> bytes:
        padded = (u32(len(SETTINGS)) + SETTINGS).ljust(2_048, b"\0")
        boxed = box(self.key, HUB_SETTINGS_BODY, self.scope + u32(revision), padded)
        return b"HLHS\x01" + self.scope + u32(revision) + boxed

    def search_root(self, root: bytes) -> bytes:
        return b"HLSR\x01" + box(self.key, HUB_SEARCH_ROOT, self.scope, root)

    def voucher(self, invitation: bytes, role: int, user: bytes, head: bytes) -> bytes:
        context = self.scope + invitation + u16(role)
        secret = derive(self.key, INVITE_SECRET, context)
        return b"\x01" + head + derive(secret, INVITE_VOUCHER, user + head)


class Roster:
    def __init__(self, hub: bytes, admin: Person):
        self.hub, self.admin = hub, admin
        self.links, self.hash = [], bytes(32)

    def write(self, *changes: bytes) -> None:
        seqno, device = len(self.links) + 1, self.admin.first
        link = b"HLRL\x01" + self.hub + u32(seqno) + self.hash
        link += (TIME_MS + seqno).to_bytes(8, "big")
        link += self.admin.user + device.id + self.admin.head()
        link += bytes([len(changes)]) + b"".join(changes)
        link += sign(device.sign_key, HUB_ROSTER_LINK, link)
        self.links.append(link)
        self.hash = hash_of(SIGCHAIN_HASH, link)

    def head(self) -> bytes:
        return u32(len(self.links)) + self.hash

    def file(self) -> bytes:
        return chain_file(b"HLRO", self.links)


def settings_change(revision: int, settings: bytes) -> bytes:
    return b"\x07" + u32(revision) + hashlib.sha256(settings).digest()


def token(root: bytes, hub: bytes) -> bytes:
    key = derive(root, BLIND_INDEX_KEY, hub + u16(CASE_NUMBER))
    bound = bind(BLIND_INDEX_TERM, NORMALISED.encode())
    return hmac.digest(key, bound, "sha256")[:16]


def main() -> None:
    given = json.load(sys.stdin)
    part = {name: bytes.fromhex(text) for name, text in given["hex"].items()}
    hub, other = part["hub"], read_chain(part["chain"])
    other_head = u32(other.seqno) + other.head
    gone = Person(os.urandom(16))
    gone.rotate()
    admin = life(part["user"], part["card"], hub, 2)

    roster, old = Roster(hub, admin), HubKey(hub, 1)
    roster.write(
        define(ADMIN, 1),
        define(VOLUNTEER, 0),
        define(REVIEWER, 2),
        add(admin.user, ADMIN, admin.head()),
        add(gone.user, VOLUNTEER, gone.head()),
    )
    first = old.settings(1)
    roster.write(
        old.announced(),
        settings_change(1, first),
        add(other.user, VOLUNTEER, other_head),
    )
    # The new key is due because somebody leaves, and is announced with it.
    key = HubKey(hub, 2)
    settings, root = key.settings(2), os.urandom(32)
    roster.write(
        b"\x04" + gone.user,
        b"\x03" + other.user + u16(REVIEWER),
        b"\x05" + other.user + other_head,
        key.announced(),
        settings_change(2, settings),
    )
    announced = roster.head()
    # A link more, so that the head that the wraps name is not the newest.
    roster.write(define(7, 0))

    generation = len(admin.seeds)
    wraps = [
        key.wrap(announced, admin.user, generation, admin.public_key(generation)),
        key.wrap(announced, other.user, len(other.puk), other.puk[-1].key),
    ]
    transport = x_only(transport_scalar(admin.first.seed, hub, 2))
    invitation, kind, second = os.urandom(16), 20_001, 1_763_690_059
    answer = {
        "chain": admin.file().hex(),
        "roster": roster.file().hex(),
        "wraps": [wrap.hex() for wrap in wraps],
        "event": key.event(admin.first.id, transport, kind, second).hex(),
        "envelope": {
            "sender": admin.first.id.hex(),
            "kind": kind,
            "created_at_s": second,
        },
        "settings": settings.hex(),
        "search_root": key.search_root(root).hex(),
        "invitation": invitation.hex(),
        "voucher": key.voucher(invitation, VOLUNTEER, gone.user, gone.head()).hex(),
        "vouched": gone.user.hex(),
        "says": {
            "head": roster.head().hex(),
            "members": {admin.user.hex(): ADMIN, other.user.hex(): REVIEWER},
            "key_due": False,
            "topic": derive(key.key, HUB_TOPIC, key.scope)[:16].hex(),
            "event": EVENT.decode(),
            "settings": SETTINGS.decode(),
            "term": TERM,
            "token": token(root, hub).hex(),
        },
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
