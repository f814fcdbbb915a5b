"""Seals a voicemail; written from docs/protocol/voicemail-v1.md.

Standard input is JSON: the facts, the readers' public keys and the sound, bytes
in hexadecimal. Standard output is JSON with the file.
"""

import hashlib
import json
import os
import struct
import sys

from cryptography.cobblestone import Cobblestone256Encryptor
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from open_voicemail import (
    INGEST_KEY_WRAP,
    READER_KEY_ID,
    VOICEMAIL_BODY,
    bind,
    vector,
)


def seal(facts: dict) -> bytes:
    header = b"HLVM\x01\x01" + vector(facts["hub"].encode())
    header += vector(facts["recording"].encode())
    header += struct.pack(">QBI", facts["created_at_ms"], 1, facts["sample_rate_hz"])
    key = os.urandom(32)
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    readers = [bytes.fromhex(reader) for reader in facts["readers"]]
    wraps = bytes([len(readers)])
    for reader in readers:
        name = hashlib.sha256(bind(READER_KEY_ID, reader)).digest()[:16]
        info = bind(INGEST_KEY_WRAP, header + name)
        wraps += name + suite.encrypt(key, X25519PublicKey.from_public_bytes(reader), info=info)
    encryptor = Cobblestone256Encryptor(key, bind(VOICEMAIL_BODY, header))
    body = encryptor.update(bytes.fromhex(facts["sound"])) + encryptor.finalize()
    return header + wraps + body


if __name__ == "__main__":
    print(json.dumps({"sealed": seal(json.load(sys.stdin)).hex()}))
