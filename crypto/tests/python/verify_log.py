"""Verifies a key log as docs/protocol/transparency-v1.md says.

Proofs by RFC 9162 sections 2.1.3.2 and 2.1.4.2, notes by c2sp.org. Reads one
JSON request, prints what it found.
"""

import json
import struct
import sys
from base64 import b64decode
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from notation import Refused, bind, digest

KT_LEAF = "hl/v1/sigchain/kt-leaf"
SAFETY_NUMBER = "hl/v1/sigchain/safety-number"


def leaf_hash(entry):
    return sha256(b"\0" + bind(KT_LEAF, entry)).digest()


def node(left, right):
    return sha256(b"\1" + left + right).digest()


def root(hashes):
    if len(hashes) < 2:
        return hashes[0] if hashes else sha256(b"").digest()
    k = 1 << (len(hashes) - 1).bit_length() - 1
    return node(root(hashes[:k]), root(hashes[k:]))


def included(leaf, index, size, tree_root, proof):
    if index >= size:
        return False
    fn, sn, r = index, size - 1, leaf
    for p in proof:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = node(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node(r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == tree_root


def consistent(first, first_root, second, second_root, proof):
    if first == second:
        return not proof and first_root == second_root
    if first & (first - 1) == 0:
        proof = [first_root] + proof
    if not proof:
        return False
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = proof[0]
    for c in proof[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node(c, fr), node(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == first_root and sr == second_root


def signatures(note, key):
    """The times at which a key signed a note (0 for a log), or a refusal."""
    name, key_id, encoded = key.split("+", 2)
    kind, public = b64decode(encoded)[0], b64decode(encoded)[1:]
    if sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4].hex() != key_id:
        raise Refused("the key's id is wrong")
    text, lines = note.rsplit("\n\n", 1)
    text += "\n"
    found = []
    for line in lines.splitlines():
        dash, signer, content = line.split(" ")
        content = b64decode(content, validate=True)
        if dash != "\u2014" or signer != name or content[:4].hex() != key_id:
            continue
        time, message = 0, text
        signature = content[4:]
        if kind == 4:
            (time,), signature = struct.unpack(">Q", content[4:12]), content[12:]
            message = f"cosignature/v1\ntime {time}\n{text}"
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, message.encode())
        except InvalidSignature:
            raise Refused(f"a signature of {name} is forged") from None
        found.append(time)
    return found


def tree(note):
    origin, size, encoded = note.split("\n")[:3]
    return origin, int(size), b64decode(encoded)


def safety_number(people):
    groups = []
    for user, head in sorted(people):
        h = digest(SAFETY_NUMBER, user + head)
        groups += [f"{int.from_bytes(h[i:i + 5]) % 100_000:05}" for i in range(0, 30, 5)]
    return groups


def main():
    request = json.load(sys.stdin)
    unhex = bytes.fromhex
    log, notes = request["log"], request["checkpoints"]
    leaves = [leaf_hash(unhex(leaf)) for leaf in request["leaves"]]
    for note in notes:
        if tree(note)[0] != log.split("+")[0] or not signatures(note, log):
            raise Refused("not signed by the log")
    sizes = [tree(note) for note in notes]
    for _, size, expected in sizes:
        if root(leaves[:size]) != expected:
            raise Refused("the entries are not those of the checkpoint")
    (_, old, old_root), (_, new, new_root) = sizes
    answer = {
        "times": [signatures(notes[-1], key) for key in request["witnesses"]],
        "consistent": consistent(old, old_root, new, new_root,
                                 [unhex(h) for h in request["consistency"]]),
        "included": [included(leaves[i], i, new, new_root, [unhex(h) for h in proof])
                     for i, proof in enumerate(request["inclusion"])],
        "swapped": [included(leaves[i - 1], i, new, new_root, [unhex(h) for h in proof])
                    for i, proof in enumerate(request["inclusion"])],
        "safety_number": safety_number(
            [(unhex(user), unhex(head)) for user, head in request["people"]]),
    }
    json.dump(answer, sys.stdout)


try:
    main()
except Refused as refusal:
    sys.exit(f"refused: {refusal}")
