"""Makes a person's sigchain; written from docs/protocol/sigchain-v1.md.

Standard input is JSON: the person, another program's device card for them, a
hub and an epoch, bytes in hexadecimal. Standard output is JSON with the chain,
what is sealed to its newest generation, and what a reader should find.
"""

import hashlib
import json
import os
import sys

from cryptography.cobblestone import Cobblestone256Encryptor
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from parts import (
    bind,
    box,
    derive,
    hash_of,
    pair,
    public_of,
    seal,
    sign,
    sign_schnorr,
    vector,
    x_only,
)
from read_sigchain import (
    DEVICE_HPKE_IKM,
    DEVICE_SIGN_SEED,
    DEVICE_SUBKEY_ATTEST,
    ITEMS_CEK_WRAP,
    ITEMS_KEY_WRAP,
    PUK_DEVICE_WRAP,
    PUK_PREV_BOX,
    PUK_SYM,
    SIGCHAIN_HASH,
    SIGCHAIN_LINK,
    puk_pair,
    transport_scalar,
    u32,
)

ELDEST, ADD, REVOKE, PUK, SUBKEY = 1, 2, 3, 4, 5
TIME_MS = 1_763_690_000_000


def chain_file(magic: bytes, links: list) -> bytes:
    count = len(links).to_bytes(2, "big")
    return magic + b"\x01" + count + b"".join(vector(link) for link in links)


class Device:
    """A device of one person, from a seed of its own."""

    def __init__(self, user: bytes):
        self.user, self.id, self.seed = user, os.urandom(16), os.urandom(32)
        self.sign_key = Ed25519PrivateKey.from_private_bytes(
            derive(self.seed, DEVICE_SIGN_SEED, b"")
        )
        self.hpke_key = pair(derive(self.seed, DEVICE_HPKE_IKM, b""))

    def attested(self, rest: bytes) -> bytes:
        return self.user + self.id + self.sign_key.public_key().public_bytes_raw() + rest

    def card_body(self) -> bytes:
        message = self.attested(b"\x01" + public_of(self.hpke_key))
        signature = sign(self.sign_key, DEVICE_SUBKEY_ATTEST, message)
        return message[16:64] + message[65:] + signature

    def subkey(self, hub: bytes, epoch: int) -> bytes:
        scalar = transport_scalar(self.seed, hub, epoch)
        listed = b"\x02" + hub + u32(epoch) + x_only(scalar)
        message = self.attested(listed)
        digest = hashlib.sha256(bind(DEVICE_SUBKEY_ATTEST, message)).digest()
        by_device = sign(self.sign_key, DEVICE_SUBKEY_ATTEST, message)
        return listed + by_device + sign_schnorr(scalar, digest)


class Person:
    """A sigchain that its first device writes, and the seeds of its generations."""

    def __init__(self, user: bytes):
        self.user, self.first = user, Device(user)
        self.links, self.hash, self.seeds = [], bytes(32), []
        self.live = {}
        card = self.first.card_body()
        self.write(ELDEST, card)
        self.live[card[:16]] = card[48:80]

    def write(self, kind: int, payload: bytes) -> None:
        seqno = len(self.links) + 1
        link = b"HLSL\x01" + self.user + u32(seqno) + self.hash
        link += (TIME_MS + seqno).to_bytes(8, "big") + self.first.id + bytes([kind]) + payload
        link += sign(self.first.sign_key, SIGCHAIN_LINK, link)
        self.links.append(link)
        self.hash = hash_of(SIGCHAIN_HASH, link)

    def head(self) -> bytes:
        return u32(len(self.links)) + self.hash

    def file(self) -> bytes:
        return chain_file(b"HLSC", self.links)

    def scope(self, generation: int) -> bytes:
        return self.user + u32(generation)

    def symmetric_key(self, generation: int) -> bytes:
        return derive(self.seeds[generation - 1], PUK_SYM, self.scope(generation))

    def public_key(self, generation: int) -> bytes:
        return public_of(puk_pair(self.user, generation, self.seeds[generation - 1]))

    def wrap(self, device: bytes, hpke_key: bytes) -> bytes:
        generation = len(self.seeds)
        context = self.scope(generation) + self.public_key(generation) + device
        return seal(hpke_key, PUK_DEVICE_WRAP, context, self.seeds[-1])

    def add(self, card: bytes) -> None:
        device, hpke_key = card[:16], card[48:80]
        wrap = self.wrap(device, hpke_key) if self.seeds else b""
        self.write(ADD, card + u32(len(self.seeds)) + vector(wrap))
        self.live[device] = hpke_key

    def revoke(self, device: bytes) -> None:
        self.write(REVOKE, device)
        del self.live[device]

    def rotate(self) -> None:
        before = self.seeds[-1:]
        self.seeds.append(os.urandom(32))
        generation = len(self.seeds)
        payload = u32(generation) + self.public_key(generation) + bytes([len(self.live)])
        for device in sorted(self.live):
            payload += device + self.wrap(device, self.live[device])
        previous = b""
        if before:
            key, context = self.symmetric_key(generation), self.scope(generation)
            previous = box(key, PUK_PREV_BOX, context, before[0])
        self.write(PUK, payload + vector(previous))

    def attest(self, hub: bytes, epoch: int) -> None:
        self.write(SUBKEY, self.first.subkey(hub, epoch))

    def items_key(self, key: bytes) -> bytes:
        generation = len(self.seeds)
        context = self.scope(generation)
        boxed = box(self.symmetric_key(generation), ITEMS_KEY_WRAP, context, key)
        return b"HLIK\x01" + context + boxed


def life(user: bytes, card: bytes, hub: bytes, epoch: int) -> Person:
    """Three devices, one revoked, three generations, a relay key.

    The device of `card` is given the second generation and, after a device was
    revoked, the third; the first it reaches by the box alone.
    """
    if card[:21] != b"HLDC\x01" + user:
        sys.exit("the card is another person's")
    person = Person(user)
    person.rotate()
    person.rotate()
    person.add(card[21:])
    lost = Device(user)
    person.add(lost.card_body())
    person.attest(hub, epoch)
    person.revoke(lost.id)
    person.rotate()
    return person


def main() -> None:
    given = json.load(sys.stdin)
    part = {name: bytes.fromhex(text) for name, text in given["hex"].items()}
    person = life(part["user"], part["card"], part["hub"], given["epoch"])
    items_key, content_key, commitment = (os.urandom(32) for _ in range(3))
    context = person.scope(len(person.seeds)) + part["record"] + u32(given["revision"])
    wrap = box(items_key, ITEMS_CEK_WRAP, context + vector(commitment), content_key)
    encryptor = Cobblestone256Encryptor(content_key, b"body")
    body = encryptor.update(b"llam\xc3\xb3") + encryptor.finalize()
    transport = x_only(transport_scalar(person.first.seed, part["hub"], given["epoch"]))
    answer = {
        "chain": person.file().hex(),
        "items_key": person.items_key(items_key).hex(),
        "commitment": commitment.hex(),
        "content_key_wrap": wrap.hex(),
        "body": body.hex(),
        "says": {
            "head": person.head().hex(),
            "live": [device.hex() for device in sorted(person.live)],
            "generations": [
                person.public_key(place + 1).hex() for place in range(len(person.seeds))
            ],
            "first": person.first.id.hex(),
            "transport": transport.hex(),
        },
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
