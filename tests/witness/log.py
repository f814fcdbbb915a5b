"""A transparency log that was written from the C2SP pages alone.

Keeps a log and its forks in memory, signs checkpoints, asks a witness over
HTTP, and verifies what it answers. Takes commands as JSON lines on standard
input, and answers each with a JSON line.
"""

import http.client
import json
import struct
import sys
import time
from base64 import b64decode, b64encode
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

ORIGIN = "hotline.example/keys"
CLOCK_TOLERANCE_S = 60

# Connections whose answer nobody reads.
unheard = []


def key_id(name, kind, public):
    return sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def split(size):
    """The largest power of two smaller than size."""
    return 1 << (size - 1).bit_length() - 1


def tree(leaves):
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0]).digest()
    k = split(len(leaves))
    return sha256(b"\1" + tree(leaves[:k]) + tree(leaves[k:])).digest()


def proof(old, leaves, whole=True):
    """RFC 6962 section 2.1.2."""
    if old == 0:
        return []
    if old == len(leaves):
        return [] if whole else [tree(leaves)]
    k = split(len(leaves))
    if old <= k:
        return proof(old, leaves[:k], whole) + [tree(leaves[k:])]
    return proof(old - k, leaves[k:], False) + [tree(leaves[:k])]


class Log:
    def __init__(self, origin):
        self.origin = origin
        self.private = Ed25519PrivateKey.generate()
        self.public = self.private.public_key().public_bytes_raw()

    def vkey(self):
        name = key_id(self.origin, 1, self.public).hex()
        encoded = b64encode(b"\1" + self.public).decode()
        return f"{self.origin}+{name}+{encoded}"

    def text(self, leaves):
        root = b64encode(tree(leaves)).decode()
        return f"{self.origin}\n{len(leaves)}\n{root}\n"

    def sign(self, text):
        content = key_id(self.origin, 1, self.public) + self.private.sign(text.encode())
        return f"{text}\n\u2014 {self.origin} {b64encode(content).decode()}\n"


def leaves(branch, size):
    """The entries of a branch: from its fork on they are others."""
    fork = branch.get("fork", size)
    return [b"%d" % i if i < fork else b"fork %d" % i for i in range(size)]


def confirmed_at(answer, text, witness):
    """The time of a cosignature/v1 line (c2sp.org/tlog-cosignature), verified."""
    name, known_id, encoded = witness.split("+", 2)
    kind, public = b64decode(encoded)[0], b64decode(encoded)[1:]
    assert kind == 4 and key_id(name, 4, public).hex() == known_id
    dash, found, content = answer[:-1].split(" ")
    assert (dash, found, answer[-1]) == ("\u2014", name, "\n")
    content = b64decode(content)
    assert content[:4].hex() == known_id
    (at,) = struct.unpack(">Q", content[4:12])
    message = f"cosignature/v1\ntime {at}\n{text}".encode()
    Ed25519PublicKey.from_public_bytes(public).verify(content[12:], message)
    assert abs(time.time() - at) < CLOCK_TOLERANCE_S
    return at


def body(log, command):
    size = command["size"]
    entries = leaves(command, size)
    old = command["old"]
    hashes = proof(min(old, size), entries)
    if command.get("spoil") == "proof":
        hashes = hashes[:-1] + [sha256(hashes[-1]).digest()]
    text = log.text(entries)
    signed = log.sign(text)
    if command.get("spoil") == "signature":
        signed = log.sign(log.text(entries + [b"another"])).replace(
            log.text(entries + [b"another"]), text
        )
    if command.get("spoil") == "unsigned":
        signed = Log(log.origin).sign(text)
    lines = "".join(b64encode(part).decode() + "\n" for part in hashes)
    return text, f"old {old}\n{lines}\n{signed}"


def ask(log, command):
    connection = http.client.HTTPConnection("127.0.0.1", command["port"], timeout=60)
    text, request = body(log, command)
    request = command.get("raw", request)
    connection.request(
        command.get("method", "POST"), command.get("path", "/add-checkpoint"), request.encode()
    )
    if command.get("deaf"):
        unheard.append(connection)
        return {"status": 0}
    answer = connection.getresponse()
    content = answer.read().decode()
    found = {
        "status": answer.status,
        "type": answer.getheader("Content-Type"),
        "body": content,
    }
    if answer.status == 200 and "witness" in command:
        found["at"] = confirmed_at(content, text, command["witness"])
    return found


def main():
    logs = {}
    for line in sys.stdin:
        command = json.loads(line)
        origin = command.get("origin", ORIGIN)
        log = logs.setdefault(origin, Log(origin))
        try:
            if command["do"] == "key":
                found = {"key": log.vkey()}
            else:
                found = ask(log, command)
        except (OSError, http.client.HTTPException) as error:
            found = {"status": -1, "error": str(error)}
        except (AssertionError, InvalidSignature, ValueError) as error:
            found = {"status": -2, "error": repr(error)}
        print(json.dumps(found), flush=True)


main()
