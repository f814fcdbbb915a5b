"""A new device, as docs/protocol/provisioning-v1.md says.

Takes the kind of invitation and what to say in Hello; then one line each way:
prints the invitation, and answers messages in hexadecimal.
"""

import os
import sys

from cryptography.hazmat.primitives.asymmetric.x25519 import (X25519PrivateKey,
                                                              X25519PublicKey)
from notation import (ALPHABET, Refused, bind, characters, derive, digest, open_box,
                      seal_box, to_values, write_code)

PROVISION_COMMIT = "hl/v1/vault/provision-commit"
PROVISION_TRANSCRIPT = "hl/v1/vault/provision-transcript"
PROVISION_SESSION = "hl/v1/vault/provision-session"
PROVISION_SAS = "hl/v1/vault/provision-sas"
PROVISION_MESSAGE = "hl/v1/vault/provision-message"


def say(line):
    print(line, flush=True)


def write(kind, content):
    say((b"HLPM\x01" + bytes([kind]) + content).hex())


def read(kind):
    message = bytes.fromhex(sys.stdin.readline())
    if message[:6] != b"HLPM\x01" + bytes([kind]):
        raise Refused("unexpected message")
    return message[6:]


def main():
    kind, hello = int(sys.argv[1]), sys.argv[2].encode()
    private = X25519PrivateKey.generate()
    new = private.public_key().public_bytes_raw() + os.urandom(32)
    if kind == 1:
        room, secret = os.urandom(16), os.urandom(16)
        invitation = b"HLPQ\x01" + room + new[:32] + secret
        text = characters(to_values(invitation, len(invitation) * 8))
        assert len(text) == 111 and all(c in ALPHABET for c in text)
    else:
        code = os.urandom(6) + bytes([os.urandom(1)[0] & 0xC0])
        room, secret = bytes(9) + code, b""
        text = write_code(code, 50)
    say(text)

    commitment = read(1)
    write(2, new)
    old = read(3)
    place = bytes([kind]) + room
    if digest(PROVISION_COMMIT, place + old) != commitment:
        raise Refused("the commitment is broken")
    transcript = digest(PROVISION_TRANSCRIPT, place + commitment + new + old)
    ikm = private.exchange(X25519PublicKey.from_public_bytes(old[:32])) + secret
    keys = derive(ikm, bind(PROVISION_SESSION, transcript), 64)
    digits = int.from_bytes(derive(ikm, bind(PROVISION_SAS, transcript), 8)) % 1_000_000
    write(4, seal_box(keys[32:], bind(PROVISION_MESSAGE, b"\x04"), hello))
    say(f"{digits:06}")
    say(open_box(keys[:32], bind(PROVISION_MESSAGE, b"\x05"), read(5)).hex())


try:
    main()
except Refused as refusal:
    sys.exit(f"refused: {refusal}")
