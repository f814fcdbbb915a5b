"""Reads a sigchain; written from docs/protocol/sigchain-v1.md.

Standard input is JSON: the chain, a device's seed and id, a sealed items key, a
wrapped content key and what it is bound to, all in hexadecimal. Standard output
is JSON with what they say. What breaks a rule ends the program with status 1
and one sentence.
"""

import hashlib
import json
import sys
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from parts import (
    Input,
    N,
    Refused,
    bind,
    check_schnorr,
    check_signature,
    derive,
    hash_of,
    pair,
    public_of,
    unbox,
    unseal,
    vector,
    x_only,
)

DEVICE_SIGN_SEED = "hl/v1/device/device-sign-seed"
DEVICE_HPKE_IKM = "hl/v1/device/device-hpke-ikm"
DEVICE_NOSTR_KEY = "hl/v1/device/device-nostr-key"
DEVICE_SUBKEY_ATTEST = "hl/v1/device/device-subkey-attest"
AUTH_CHALLENGE = "hl/v1/device/auth-challenge"
DRAFT_KEY = "hl/v1/device/draft-key"
DRAFT_BODY = "hl/v1/record/draft-body"
INVITE_PROOF = "hl/v1/device/invite-proof"
REQUEST_POP = "hl/v1/device/request-pop"
SIGCHAIN_LINK = "hl/v1/sigchain/sigchain-link"
SIGCHAIN_HASH = "hl/v1/sigchain/sigchain-hash"
PUK_HPKE_IKM = "hl/v1/puk/puk-hpke-ikm"
PUK_SYM = "hl/v1/puk/puk-sym"
PUK_DEVICE_WRAP = "hl/v1/puk/puk-device-wrap"
PUK_PREV_BOX = "hl/v1/puk/puk-prev-box"
ITEMS_KEY_WRAP = "hl/v1/puk/items-key-wrap"
ITEMS_CEK_WRAP = "hl/v1/puk/items-cek-wrap"


def u32(number: int) -> bytes:
    return number.to_bytes(4, "big")


@dataclass
class Device:
    sign_key: bytes
    hpke_key: bytes
    added: int
    revoked: int | None = None


@dataclass
class Generation:
    key: bytes
    wraps: dict
    previous: bytes


@dataclass
class Chain:
    user: bytes = b""
    head: bytes = bytes(32)
    seqno: int = 0
    devices: dict = field(default_factory=dict)
    puk: list = field(default_factory=list)
    rotation_due: bool = False
    transport: dict = field(default_factory=dict)
    hashes: list = field(default_factory=list)

    def live(self) -> list:
        return sorted(id for id, device in self.devices.items() if not device.revoked)

    def add(self, link: bytes) -> None:
        source = Input(link)
        source.front(b"HLSL")
        user, seqno, prev = source.take(16), source.integer(4), source.take(32)
        source.integer(8)
        signer, kind = source.take(16), source.integer(1)
        self.user = self.user or user
        if user != self.user or seqno != self.seqno + 1 or prev != self.head:
            raise Refused("a link is out of place")
        if seqno > 4096 or len(link) > 16000:
            raise Refused("the chain is too long")
        if (kind == 1) != (seqno == 1):
            raise Refused("a chain begins once")
        if kind == 1:
            body = source.take(144)
            if body[:16] != signer:
                raise Refused("the first device signs for itself")
            key = body[16:48]
        elif signer not in self.live():
            raise Refused("the signer is not live")
        else:
            key, body = self.devices[signer].sign_key, b""
        check_signature(key, SIGCHAIN_LINK, link[:-64], link[-64:])
        if kind == 1:
            self.add_device(body, seqno)
        elif kind == 2:
            self.read_add(source, seqno)
        elif kind == 3:
            self.revoke(source.take(16), seqno)
        elif kind == 4:
            self.rotate(source)
        elif kind == 5:
            self.attest(source.take(181), signer)
        else:
            raise Refused("unknown type")
        source.take(64)
        source.end()
        self.seqno, self.head = seqno, hash_of(SIGCHAIN_HASH, link)
        self.hashes.append(self.head)

    def read_add(self, source: Input, seqno: int) -> None:
        card = source.take(144)
        generation, wrap = source.integer(4), source.vector()
        if generation != len(self.puk) or len(wrap) != (80 if generation else 0):
            raise Refused("the new device is given the wrong key")
        self.add_device(card, seqno)
        if generation:
            self.puk[-1].wraps[card[:16]] = wrap

    def add_device(self, body: bytes, seqno: int) -> None:
        device, sign_key, hpke_key = body[:16], body[16:48], body[48:80]
        message = self.user + device + sign_key + b"\x01" + hpke_key
        check_signature(sign_key, DEVICE_SUBKEY_ATTEST, message, body[80:])
        for known, other in self.devices.items():
            if known == device or sign_key == other.sign_key or hpke_key == other.hpke_key:
                raise Refused("a device comes back")
        self.devices[device] = Device(sign_key, hpke_key, seqno)
        if len(self.live()) > 32 or len(self.devices) > 256:
            raise Refused("too many devices")

    def revoke(self, device: bytes, seqno: int) -> None:
        if device not in self.live() or len(self.live()) == 1:
            raise Refused("this device cannot be revoked")
        self.devices[device].revoked = seqno
        self.rotation_due = bool(self.puk)

    def rotate(self, source: Input) -> None:
        generation, key = source.integer(4), source.take(32)
        wraps = [(source.take(16), source.take(80)) for _ in range(source.integer(1))]
        previous = source.vector()
        if generation != len(self.puk) + 1 or any(key == old.key for old in self.puk):
            raise Refused("not the next generation")
        if [device for device, _ in wraps] != self.live():
            raise Refused("not sealed to exactly the live devices")
        if len(previous) != (72 if generation > 1 else 0):
            raise Refused("the box of the generation before is missing")
        self.puk.append(Generation(key, dict(wraps), previous))
        self.rotation_due = False

    def attest(self, subkey: bytes, signer: bytes) -> None:
        if subkey[0] != 2 or (signer, subkey[1:21]) in self.transport:
            raise Refused("a subkey is of an unknown kind, or listed twice")
        sign_key = self.devices[signer].sign_key
        message = self.user + signer + sign_key + subkey[:53]
        check_signature(sign_key, DEVICE_SUBKEY_ATTEST, message, subkey[53:117])
        digest = hashlib.sha256(bind(DEVICE_SUBKEY_ATTEST, message)).digest()
        check_schnorr(subkey[21:53], digest, subkey[117:])
        self.transport[signer, subkey[1:21]] = subkey[21:53]

    def device_at(self, device: bytes, head: bytes) -> bytes:
        """The signing key of a device that was live at `head`."""
        seqno = int.from_bytes(head[:4], "big")
        if not 1 <= seqno <= self.seqno or self.hashes[seqno - 1] != head[4:]:
            raise Refused("the chain does not contain the head")
        found = self.devices.get(device)
        if not found or found.added > seqno or (found.revoked or seqno + 1) <= seqno:
            raise Refused("the device was not live there")
        return found.sign_key


def read_chain(data: bytes) -> Chain:
    source, chain = Input(data), Chain()
    source.front(b"HLSC")
    count = source.integer(2)
    if not count:
        raise Refused("the chain is empty")
    for _ in range(count):
        chain.add(source.vector())
    source.end()
    return chain


def puk_pair(user: bytes, generation: int, seed: bytes):
    return pair(derive(seed, PUK_HPKE_IKM, user + u32(generation)))


def open_puk(chain: Chain, device: bytes, hpke_key) -> list:
    """The seeds of all generations, oldest first."""
    seeds, generation = [], len(chain.puk)
    newest = chain.puk[-1]
    if device not in newest.wraps:
        raise Refused("not sealed to this device")
    context = chain.user + u32(generation) + newest.key + device
    seed = unseal(hpke_key, PUK_DEVICE_WRAP, context, newest.wraps[device])
    while True:
        named = chain.puk[generation - 1]
        if public_of(puk_pair(chain.user, generation, seed)) != named.key:
            raise Refused("not the key that the chain names")
        seeds.insert(0, seed)
        if generation == 1:
            return seeds
        context = chain.user + u32(generation)
        seed = unbox(derive(seed, PUK_SYM, context), PUK_PREV_BOX, context, named.previous)
        generation -= 1


def open_items_key(user: bytes, seeds: list, sealed: bytes) -> tuple[int, bytes]:
    source = Input(sealed)
    source.front(b"HLIK")
    if source.take(16) != user:
        raise Refused("another person's items key")
    generation, boxed = source.integer(4), source.take(72)
    source.end()
    context = user + u32(generation)
    key = derive(seeds[generation - 1], PUK_SYM, context)
    return generation, unbox(key, ITEMS_KEY_WRAP, context, boxed)


def transport_scalar(seed: bytes, hub: bytes, epoch: int) -> bytes:
    for attempt in range(256):
        scalar = derive(seed, DEVICE_NOSTR_KEY, hub + u32(epoch) + bytes([attempt]))
        if 0 < int.from_bytes(scalar, "big") < N:
            return scalar
    raise Refused("no transport key")


def check_login(sign_key: bytes, proof: bytes) -> dict:
    source = Input(proof)
    source.front(b"HLLP")
    begin = source.at
    source.front(b"HLLC")
    origin, nonce = source.vector(), source.take(32)
    expires, device = source.integer(8), source.take(16)
    challenge = proof[begin : source.at]
    check_signature(sign_key, AUTH_CHALLENGE, challenge, source.take(64))
    source.end()
    return {
        "origin": origin.decode(),
        "nonce": nonce.hex(),
        "expires_at_ms": expires,
        "device": device.hex(),
    }


def check_request(sign_key: bytes, proof: bytes, facts: dict) -> int:
    source = Input(proof)
    source.front(b"HLRP")
    device, time, nonce = source.take(16), source.take(8), source.take(16)
    message = (
        b"\x01"
        + device
        + time
        + nonce
        + vector(facts["method"].encode())
        + vector(facts["path"].encode())
        + hashlib.sha256(facts["body"].encode()).digest()
        + hashlib.sha256(facts["token"].encode()).digest()
    )
    check_signature(sign_key, REQUEST_POP, message, source.take(64))
    source.end()
    return int.from_bytes(time, "big")


def open_draft(seed: bytes, user: bytes, device: bytes, name: str, sealed: bytes) -> str:
    source = Input(sealed)
    source.front(b"HLDR")
    context = user + device + vector(name.encode())
    padded = unbox(derive(seed, DRAFT_KEY, b""), DRAFT_BODY, context, sealed[source.at :])
    length = int.from_bytes(padded[:4], "big")
    if len(padded) != -(-(length + 4) // 1024) * 1024 or any(padded[4 + length :]):
        raise Refused("wrong padding")
    return padded[4 : 4 + length].decode()


def check_invite(chain: Chain, proof: bytes, origin: str, code: str) -> str:
    source = Input(proof)
    source.front(b"HLIP")
    device, head = source.take(16), source.take(36)
    if head != u32(chain.seqno) + chain.head:
        raise Refused("the invite is redeemed for another chain")
    message = (
        b"\x01"
        + vector(origin.encode())
        + hashlib.sha256(code.encode()).digest()
        + chain.user
        + device
        + head
    )
    check_signature(chain.device_at(device, head), INVITE_PROOF, message, source.take(64))
    source.end()
    return device.hex()


def main() -> None:
    given = json.load(sys.stdin)
    part = {name: bytes.fromhex(text) for name, text in given["hex"].items()}
    chain = read_chain(part["chain"])
    answer = {
        "user": chain.user.hex(),
        "seqno": chain.seqno,
        "head": chain.head.hex(),
        "live": [device.hex() for device in chain.live()],
        "generations": [generation.key.hex() for generation in chain.puk],
        "rotation_due": chain.rotation_due,
        "transport": sorted(key.hex() for key in chain.transport.values()),
    }
    if "invite" in part:
        answer["invite"] = check_invite(chain, part["invite"], given["origin"], given["code"])
    if "seed" in part:
        seed, device = part["seed"], part["device"]
        sign_key = Ed25519PrivateKey.from_private_bytes(derive(seed, DEVICE_SIGN_SEED, b""))
        if sign_key.public_key().public_bytes_raw() != chain.devices[device].sign_key:
            raise Refused("the seed is not this device's")
        seeds = open_puk(chain, device, pair(derive(seed, DEVICE_HPKE_IKM, b"")))
        generation, items_key = open_items_key(chain.user, seeds, part["items_key"])
        context = chain.user + u32(generation) + part["record"] + u32(given["revision"])
        context += vector(part["commitment"])
        content_key = unbox(items_key, ITEMS_CEK_WRAP, context, part["content_key_wrap"])
        answer["content_key_hash"] = hashlib.sha256(content_key).hexdigest()
        answer["draft"] = open_draft(
            seed, chain.user, device, given["draft_name"], part["draft"]
        )
        scalar = transport_scalar(seed, part["hub"], given["epoch"])
        answer["transport_key"] = x_only(scalar).hex()
        answer["login"] = check_login(chain.devices[device].sign_key, part["login"])
        answer["request_time_ms"] = check_request(
            chain.devices[device].sign_key, part["request"], given["request"]
        )
    print(json.dumps(answer))


if __name__ == "__main__":
    try:
        main()
    except Refused as refusal:
        sys.exit(f"refused: {refusal}")
