"""Opens and makes sealed records; written from docs/protocol/record-v1.md.

usage: open_record.py open|seal|erasure|export < facts.json

Bytes are hexadecimal in JSON, both ways. What does not open ends the program
with status 1 and one sentence.
"""

import hashlib
import json
import os
import struct
import sys

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.asymmetric.x25519 import (
    X25519PrivateKey,
    X25519PublicKey,
)
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from parts import Refused, derive, unbox

KINDS = {
    kind: f"hl/v1/record/{kind}-body".encode()
    for kind in "note message transcript report contact attachment voicemail".split()
}
RECORD_KEY_WRAP = b"hl/v1/record/record-key-wrap"
RECORD_HEADER = b"hl/v1/record/record-header"
INGEST_HEADER = b"hl/v1/record/ingest-header"
RECORD_MANIFEST = b"hl/v1/record/record-manifest"
RECORD_ERASURE = b"hl/v1/record/record-erasure"
EXPORT_BODY = b"hl/v1/vault/export-body"
PUK_SYM = "hl/v1/puk/puk-sym"
ITEMS_KEY_WRAP = "hl/v1/puk/items-key-wrap"
ITEMS_CEK_WRAP = "hl/v1/puk/items-cek-wrap"
HPKE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
NOBODY = bytes(16)


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def vector(data: bytes) -> bytes:
    if len(data) < 64:
        return bytes([len(data)]) + data
    return struct.pack(">H", 0x4000 + len(data)) + data


def bind(label: bytes, context: bytes) -> bytes:
    return vector(label) + vector(context)


def padded(count: int) -> int:
    count = max(count, 256)
    exponent = count.bit_length() - 1
    kept = (exponent.bit_length() - 1) + 1
    step = 1 << (exponent - kept)
    return (count + step - 1) // step * step


def verify(key: bytes, signature: bytes, signed: bytes, complaint: str) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, signed)
    except InvalidSignature:
        raise Refused(complaint) from None


class Input:
    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise Refused("the record is cut off")
        self.at += count
        return self.data[self.at - count : self.at]

    def integer(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")

    def since(self, start: int) -> bytes:
        return self.data[start : self.at]

    def front(self, magic: bytes, suite: bool = True) -> None:
        if self.take(4) != magic:
            raise Refused("not a " + magic.decode())
        if self.integer(1) != 1:
            raise Refused("unknown version")
        if suite and self.integer(1) != 1:
            raise Refused("unknown suite")


def read_context(source: Input) -> dict:
    start = source.at
    source.front(b"HLRC")
    length = source.integer(1)
    if length > 63:
        raise Refused("a length is out of bounds")
    label = source.take(length)
    kinds = [kind for kind, text in KINDS.items() if text == label]
    if not kinds:
        raise Refused("unknown kind")
    context = {"kind": kinds[0], "hub": source.take(16), "record": source.take(16)}
    context |= {"revision": source.integer(4), "parent": source.take(32)}
    context |= {"author": source.take(16), "device": source.take(16)}
    context["bytes"] = source.since(start)
    if (context["revision"] == 1) != (context["parent"] == bytes(32)) or context["revision"] == 0:
        raise Refused("revision and parent do not fit")
    return context


def header_signed(context: dict, body_hash: bytes) -> bytes:
    label = INGEST_HEADER if context["author"] == NOBODY else RECORD_HEADER
    return bind(label, context["bytes"] + body_hash)


def read_entries(source: Input) -> list[dict]:
    count = source.integer(1)
    if not 1 <= count <= 64:
        raise Refused("the number of readers is out of bounds")
    entries = []
    for _ in range(count):
        entry = {"user": source.take(16), "generation": source.integer(4)}
        kind = source.integer(1)
        if kind > 1:
            raise Refused("unknown kind of wrap")
        entry |= {"kind": kind, "wrap": source.take(80 if kind == 0 else 72)}
        if entries and entries[-1]["user"] >= entry["user"]:
            raise Refused("the readers are out of order")
        entries.append(entry)
    return entries


def read_manifest(source: Input, context: dict) -> dict:
    start = source.at
    manifest = {"commitment": source.take(32), "revision": source.integer(4)}
    manifest |= {"previous": source.take(32), "signer": source.take(16)}
    first = manifest["revision"] == 1
    if first != (manifest["previous"] == bytes(32)) or manifest["revision"] == 0:
        raise Refused("revision and predecessor of the manifest do not fit")
    stale = source.integer(1)
    if stale > 1:
        raise Refused("the mark of staleness is 0 or 1")
    manifest |= {"stale": bool(stale), "entries": read_entries(source)}
    message = sha256(context["bytes"]) + source.since(start)
    manifest["signed"] = bind(RECORD_MANIFEST, message)
    manifest["signature"] = source.take(64)
    return manifest


def wrap_info(front: bytes, commitment: bytes, user: bytes, generation: int) -> bytes:
    context = sha256(front) + commitment + user + struct.pack(">I", generation)
    return bind(RECORD_KEY_WRAP, context)


def open_own_wrap(entry: dict, key: dict, context: dict, commitment: bytes) -> bytes:
    """From the per-user key to the items key, and from that to the record's."""
    generation = entry["user"] + struct.pack(">I", entry["generation"])
    sealed = Input(key["items_key"])
    sealed.front(b"HLIK", suite=False)
    if sealed.take(20) != generation:
        raise Refused("another key is needed")
    symmetric = derive(key["seed"], PUK_SYM, generation)
    items = unbox(symmetric, ITEMS_KEY_WRAP, generation, sealed.data[sealed.at :])
    bound = context["record"] + struct.pack(">I", context["revision"]) + vector(commitment)
    return unbox(items, ITEMS_CEK_WRAP, generation + bound, entry["wrap"])


def open_wrap(
    entries: list[dict], key: dict, front: bytes, commitment: bytes, context: dict | None = None
) -> bytes:
    mine = [entry for entry in entries if entry["user"] == key["user"]]
    if not mine:
        raise Refused("not sealed to this person")
    entry = mine[0]
    if entry["kind"] == 1 and context and "items_key" in key:
        return open_own_wrap(entry, key, context, commitment)
    if entry["kind"] != 0 or entry["generation"] != key["generation"]:
        raise Refused("another key is needed")
    secret = X25519PrivateKey.from_private_bytes(key["secret"])
    info = wrap_info(front, commitment, entry["user"], entry["generation"])
    try:
        return HPKE.decrypt(entry["wrap"], secret, info=info)
    except InvalidTag:
        raise Refused("the key of this record does not open") from None


def open_body(body: bytes, key: bytes, context: bytes) -> bytes:
    decryptor = Cobblestone256Decryptor(key, context)
    try:
        plain = decryptor.update(body) + decryptor.finalize()
    except InvalidTag:
        raise Refused("the body does not open") from None
    length = int.from_bytes(plain[:4], "big")
    if len(plain) != padded(4 + length) or any(plain[4 + length :]):
        raise Refused("the padding is wrong")
    return plain[4 : 4 + length]


def seal_body(text: bytes, key: bytes, context: bytes) -> bytes:
    plain = struct.pack(">I", len(text)) + text
    encryptor = Cobblestone256Encryptor(key, context)
    plain += bytes(padded(len(plain)) - len(plain))
    return encryptor.update(plain) + encryptor.finalize()


def open_record(facts: dict) -> dict:
    source = Input(facts["sealed"])
    context = read_context(source)
    body_hash, signature = source.take(32), source.take(64)
    manifest = read_manifest(source, context)
    body = source.data[source.at :]
    place = [context[name] for name in ("kind", "hub", "record")]
    if place != [facts[name] for name in ("kind", "hub", "record")]:
        raise Refused("moved from another record")
    position = [context["revision"], manifest["revision"]]
    if position < facts["at_least"]:
        raise Refused("an older state")
    author = facts["author"]
    if (context["author"], context["device"]) != (author["user"], author["device"]):
        raise Refused("by another author")
    signed = header_signed(context, body_hash)
    verify(author["key"], signature, signed, "the author did not sign this")
    signers = [author] + [s for s in facts["signers"] if s["user"] in facts["allowed"]]
    keys = [s["key"] for s in signers if s["device"] == manifest["signer"]]
    if not keys:
        raise Refused("the manifest is signed by nobody who may")
    verify(keys[0], manifest["signature"], manifest["signed"], "the manifest was altered")
    if any(entry["user"] not in facts["allowed"] for entry in manifest["entries"]):
        raise Refused("a reader who may not be")
    key = open_wrap(
        manifest["entries"],
        facts["opener"],
        context["bytes"],
        manifest["commitment"],
        context,
    )
    if body[24:56] != manifest["commitment"] or sha256(body) != body_hash:
        raise Refused("the body is another one")
    text = open_body(body, key, bind(KINDS[context["kind"]], context["bytes"]))
    return {
        "text": text,
        "position": position,
        "parent": context["parent"],
        "revision_hash": sha256(signed),
        "stale": manifest["stale"],
    }


def seal_record(facts: dict) -> dict:
    author = facts["author"]
    head = b"HLRC\x01\x01" + vector(KINDS[facts["kind"]]) + facts["hub"] + facts["record"]
    head += struct.pack(">I", facts["revision"]) + facts["parent"]
    context = {"author": author["user"], "bytes": head + author["user"] + author["device"]}
    key = os.urandom(32)
    body = seal_body(facts["text"], key, bind(KINDS[facts["kind"]], context["bytes"]))
    entries = b""
    for reader in sorted(facts["readers"], key=lambda reader: reader["user"]):
        info = wrap_info(context["bytes"], body[24:56], reader["user"], reader["generation"])
        wrap = HPKE.encrypt(key, X25519PublicKey.from_public_bytes(reader["key"]), info=info)
        entries += reader["user"] + struct.pack(">IB", reader["generation"], 0) + wrap
    manifest = body[24:56] + struct.pack(">I", 1) + bytes(32) + author["device"]
    manifest += bytes([0, len(facts["readers"])]) + entries
    signer = Ed25519PrivateKey.from_private_bytes(author["seed"])
    signature = signer.sign(header_signed(context, sha256(body)))
    signed = bind(RECORD_MANIFEST, sha256(context["bytes"]) + manifest)
    front = context["bytes"] + sha256(body) + signature + manifest + signer.sign(signed)
    return {"sealed": front + body}


def open_erasure(facts: dict) -> dict:
    source = Input(facts["sealed"])
    source.front(b"HLRE", suite=False)
    names = ["hub", "record", "through", "last", "user", "device", "at_ms"]
    sizes = [16, 16, 4, 32, 16, 16, 8]
    erasure = {name: source.take(size) for name, size in zip(names, sizes)}
    signed = bind(RECORD_ERASURE, source.since(0))
    signature = source.take(64)
    if source.at != len(source.data):
        raise Refused("bytes after the end")
    verify(facts["key"], signature, signed, "the person named did not sign this")
    return erasure


def open_export(facts: dict) -> dict:
    source = Input(facts["sealed"])
    source.front(b"HLEX")
    source.take(3 * 16 + 8)
    front = source.since(0)
    entries = read_entries(source)
    body = source.data[source.at :]
    key = open_wrap(entries, facts["opener"], front, body[24:56])
    return {"text": open_body(body, key, bind(EXPORT_BODY, front))}


def from_json(value):
    """Strings are bytes, but for the kind."""
    if isinstance(value, dict):
        return {k: v if k == "kind" else from_json(v) for k, v in value.items()}
    if isinstance(value, list):
        return [from_json(item) for item in value]
    return bytes.fromhex(value) if isinstance(value, str) else value


ACTIONS = {
    "open": open_record,
    "seal": seal_record,
    "erasure": open_erasure,
    "export": open_export,
}

if __name__ == "__main__":
    try:
        answer = ACTIONS[sys.argv[1]](from_json(json.load(sys.stdin)))
        print(json.dumps(answer, default=bytes.hex))
    except Refused as refusal:
        sys.exit(f"refused: {refusal}")
