"""Reads a roster and what is sealed to its members; written from
docs/protocol/hub-v1.md.

Standard input is JSON: the roster, the sigchains, a member's device, a wrapped
hub key, a sealed event with its envelope, the sealed search root and a term;
bytes in hexadecimal. Standard output is JSON with what they say. What breaks a
rule ends the program with status 1 and one sentence.
"""

import hashlib
import hmac
import json
import re
import sys

from parts import (
    Input,
    Refused,
    bind,
    check_signature,
    derive,
    hash_of,
    pair,
    unbox,
    unseal,
)
from read_sigchain import (
    DEVICE_HPKE_IKM,
    SIGCHAIN_HASH,
    open_puk,
    puk_pair,
    read_chain,
    u32,
)

HUB_ROSTER_LINK = "hl/v1/sigchain/hub-roster-link"
HUB_KEY_COMMITMENT = "hl/v1/hub/hub-key-commitment"
HUB_KEY_WRAP = "hl/v1/hub/hub-key-wrap"
HUB_EVENT_KEY = "hl/v1/hub/hub-event-key"
HUB_EVENT_BODY = "hl/v1/hub/hub-event-body"
HUB_TOPIC = "hl/v1/hub/hub-topic"
HUB_SETTINGS_BODY = "hl/v1/hub/hub-settings-body"
HUB_SEARCH_ROOT = "hl/v1/hub/hub-search-root"
BLIND_INDEX_KEY = "hl/v1/hub/blind-index-key"
BLIND_INDEX_TERM = "hl/v1/hub/blind-index-term"

ADMIN, REVIEWER = 1, 2
# The Unicode property White_Space.
WHITE_SPACE = "[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+"


class Roster:
    def __init__(self, chains: dict):
        self.chains = chains
        self.hub, self.seqno, self.head = b"", 0, bytes(32)
        self.roles, self.members, self.known, self.epochs = {}, {}, {}, []
        self.key_due = False
        self.settings = (0, b"")

    def is_admin(self, user: bytes) -> bool:
        return user in self.members and self.roles[self.members[user]] & ADMIN != 0

    def add(self, link: bytes) -> None:
        source = Input(link)
        source.front(b"HLRL")
        hub, seqno, prev = source.take(16), source.integer(4), source.take(32)
        source.integer(8)
        signer, device, head = source.take(16), source.take(16), source.take(36)
        self.hub = self.hub or hub
        if hub != self.hub or seqno != self.seqno + 1 or prev != self.head:
            raise Refused("a link is out of place")
        if seqno > 8192 or len(link) > 16000:
            raise Refused("the roster is too long")
        if seqno > 1 and not self.is_admin(signer):
            raise Refused("the signer is no admin")
        key = self.chains[signer].device_at(device, head)
        check_signature(key, HUB_ROSTER_LINK, link[:-64], link[-64:])
        self.seqno, self.head = seqno, hash_of(SIGCHAIN_HASH, link)
        count = source.integer(1)
        if not 1 <= count <= 128:
            raise Refused("the number of changes is out of bounds")
        first_heads = {}
        for _ in range(count):
            self.change(source, first_heads)
        source.take(64)
        source.end()
        self.note(signer, head)
        founded = self.is_admin(signer) and first_heads.get(signer) == head
        if seqno == 1 and not founded:
            raise Refused("the first link does not make its signer an admin")
        if not any(self.is_admin(user) for user in self.members):
            raise Refused("no admin is left")

    def change(self, source: Input, added: dict) -> None:
        kind = source.integer(1)
        if kind == 1:
            role, flags = source.integer(2), source.integer(1)
            source.integer(8)
            if flags & ~(ADMIN | REVIEWER):
                raise Refused("unknown flags")
            self.roles[role] = flags
        elif kind == 6:
            epoch, commitment = source.integer(4), source.take(32)
            if epoch != len(self.epochs) + 1:
                raise Refused("not the next epoch")
            self.epochs.append((commitment, u32(self.seqno) + self.head))
            self.key_due = False
        elif kind == 7:
            revision, digest = source.integer(4), source.take(32)
            if revision != self.settings[0] + 1:
                raise Refused("not the next revision")
            self.settings = revision, digest
        else:
            self.change_member(kind, source, added)
        if len(self.roles) > 64 or len(self.members) > 2048:
            raise Refused("too many roles or members")

    def change_member(self, kind: int, source: Input, added: dict) -> None:
        user = source.take(16)
        if (user in self.members) != (kind != 2):
            raise Refused("a change of somebody who is no member, or is one already")
        if kind in (2, 3):
            role = source.integer(2)
            if role not in self.roles:
                raise Refused("unknown role")
            self.members[user] = role
        if kind in (2, 5):
            head = source.take(36)
            self.note(user, head)
            if kind == 2:
                added[user] = head
        elif kind == 4:
            del self.members[user]
            self.key_due = bool(self.epochs)
        elif kind != 3:
            raise Refused("unknown change")

    def note(self, user: bytes, head: bytes) -> None:
        known = self.known.get(user, head)
        if head[:4] < known[:4] or (head[:4] == known[:4] and head != known):
            raise Refused("a sigchain's head goes back")
        self.known[user] = head
        if user in self.members and user in self.chains:
            first, last = (int.from_bytes(h[:4], "big") for h in (known, head))
            devices = self.chains[user].devices.values()
            lost = any(first < (device.revoked or 0) <= last for device in devices)
            self.key_due = self.key_due or (lost and bool(self.epochs))

    def check_members(self) -> None:
        for user in self.members:
            head, chain = self.known[user], self.chains[user]
            seqno = int.from_bytes(head[:4], "big")
            if not 1 <= seqno <= chain.seqno or chain.hashes[seqno - 1] != head[4:]:
                raise Refused("a member's sigchain does not fit")

    def readers(self, visibility: str, author: bytes) -> list:
        flags = {"private": 0, "case": ADMIN, "reporter": ADMIN | REVIEWER}[visibility]
        who = {user for user, role in self.members.items() if self.roles[role] & flags}
        return sorted(who | {author})


def read_roster(data: bytes, chains: dict) -> Roster:
    source, roster = Input(data), Roster(chains)
    source.front(b"HLRO")
    count = source.integer(2)
    if not count:
        raise Refused("the roster is empty")
    for _ in range(count):
        roster.add(source.vector())
    source.end()
    roster.check_members()
    return roster


def open_hub_key(roster: Roster, user: bytes, seeds: list, wrap: bytes):
    source = Input(wrap)
    source.front(b"HLHK")
    hub, epoch = source.take(16), source.integer(4)
    reader, generation = source.take(16), source.integer(4)
    sealed = source.take(80)
    source.end()
    if hub != roster.hub or reader != user:
        raise Refused("sealed to somebody else")
    commitment, head = roster.epochs[epoch - 1]
    scope = hub + u32(epoch)
    secret = puk_pair(user, generation, seeds[generation - 1])
    context = scope + head + user + u32(generation)
    key = unseal(secret, HUB_KEY_WRAP, context, sealed)
    if derive(key, HUB_KEY_COMMITMENT, scope) != commitment:
        raise Refused("not the hub key that an admin announced")
    return epoch, scope, key


def open_event(epoch: int, scope: bytes, key: bytes, sealed: bytes, envelope: dict) -> bytes:
    source = Input(sealed)
    source.front(b"HLHE")
    if source.integer(4) != epoch:
        raise Refused("an event of another epoch")
    sender = bytes.fromhex(envelope["sender"])
    context = scope + sender + bytes.fromhex(envelope["transport_key"])
    context += u32(envelope["kind"])
    context += (envelope["created_at_s"] // 60).to_bytes(8, "big")
    event_key = derive(key, HUB_EVENT_KEY, scope + sender)
    padded = unbox(event_key, HUB_EVENT_BODY, context, sealed[source.at :])
    length = int.from_bytes(padded[:2], "big")
    if len(padded) not in (256, 1024, 4096, 8192) or any(padded[2 + length :]):
        raise Refused("wrong padding")
    return padded[2 : 2 + length]


def open_settings(roster: Roster, epoch: int, scope: bytes, key: bytes, data: bytes) -> bytes:
    source = Input(data)
    source.front(b"HLHS")
    where, revision = source.take(20), source.integer(4)
    if (revision, hashlib.sha256(data).digest()) != roster.settings:
        raise Refused("not the settings that an admin announced")
    if where != scope:
        raise Refused("settings of another epoch")
    padded = unbox(key, HUB_SETTINGS_BODY, scope + u32(revision), data[source.at :])
    length = int.from_bytes(padded[:4], "big")
    if len(padded) != -(-(length + 4) // 1024) * 1024 or any(padded[4 + length :]):
        raise Refused("wrong padding")
    return padded[4 : 4 + length]


def token(root: bytes, hub: bytes, field: int, term: str) -> bytes:
    words = re.split(WHITE_SPACE, term)
    words = ["".join(letter.lower() for letter in word) for word in words if word]
    key = derive(root, BLIND_INDEX_KEY, hub + field.to_bytes(2, "big"))
    bound = bind(BLIND_INDEX_TERM, " ".join(words).encode())
    return hmac.digest(key, bound, "sha256")[:16]


def main() -> None:
    given = json.load(sys.stdin)
    part = {name: bytes.fromhex(text) for name, text in given["hex"].items()}
    chains = [read_chain(bytes.fromhex(chain)) for chain in given["chains"]]
    chains = {chain.user: chain for chain in chains}
    roster = read_roster(part["roster"], chains)
    user = part["user"]
    seeds = open_puk(
        chains[user], part["device"], pair(derive(part["seed"], DEVICE_HPKE_IKM, b""))
    )
    epoch, scope, key = open_hub_key(roster, user, seeds, part["hub_key_wrap"])
    event = open_event(epoch, scope, key, part["event"], given["envelope"])
    settings = open_settings(roster, epoch, scope, key, part["settings"])
    root = part["search_root"]
    source = Input(root)
    source.front(b"HLSR")
    root = unbox(key, HUB_SEARCH_ROOT, scope, root[source.at :])
    answer = {
        "head": roster.head.hex(),
        "members": {user.hex(): role for user, role in roster.members.items()},
        "key_due": roster.key_due,
        "readers": {
            name: [reader.hex() for reader in roster.readers(name, user)]
            for name in ("private", "case", "reporter")
        },
        "topic": derive(key, HUB_TOPIC, scope)[:16].hex(),
        "event": event.decode(),
        "settings": settings.decode(),
        "token": token(root, roster.hub, given["field"], given["term"]).hex(),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    try:
        main()
    except Refused as refusal:
        sys.exit(f"refused: {refusal}")
