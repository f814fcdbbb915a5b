"""Opens a sealed voicemail; written from docs/protocol/voicemail-v1.md.

usage: open_voicemail.py KEY_FILE SEALED_FILE PCM_FILE

Writes the sound to PCM_FILE and the facts to standard output as JSON. A file
that does not open ends the program with status 1 and one sentence.
"""

import hashlib
import json
import struct
import sys

from cryptography.cobblestone import Cobblestone256Decryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

READER_KEY_ID = b"hl/v1/record/reader-key-id"
INGEST_KEY_WRAP = b"hl/v1/record/ingest-key-wrap"
VOICEMAIL_BODY = b"hl/v1/record/voicemail-body"

CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
SEALED_CHUNK = 16400


class Refused(Exception):
    """The key or the file breaks a rule of the format."""


def vector(data: bytes) -> bytes:
    if len(data) < 64:
        return bytes([len(data)]) + data
    return struct.pack(">H", 0x4000 + len(data)) + data


def bind(label: bytes, context: bytes) -> bytes:
    return vector(label) + vector(context)


def decode_key(text: str, prefix: str) -> bytes:
    text = text.strip()
    if text not in (text.lower(), text.upper()):
        raise Refused("mixed case in the key")
    text = text.lower()
    if not text.startswith(prefix + "1") or len(text) != 64:
        raise Refused(f"not a {prefix} key")
    data = [CHARSET.find(symbol) for symbol in text[len(prefix) + 1 :]]
    if -1 in data:
        raise Refused("a character that keys do not have")
    check = 1
    values = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix] + data
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit in range(5):
            if top >> bit & 1:
                check ^= GENERATOR[bit]
    if check != 0x2BC830A3:
        raise Refused("the key's checksum does not match")
    number = 0
    for value in data[:52]:
        number = number << 5 | value
    if number & 15:
        raise Refused("surplus bits in the key")
    return (number >> 4).to_bytes(32, "big")


class Input:
    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise Refused("the file ends inside its header")
        self.at += count
        return self.data[self.at - count : self.at]

    def integer(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")

    def vector(self) -> bytes:
        length = self.integer(1)
        if length >= 64:
            length = (length << 8 | self.integer(1)) - 0x4000
            if not 64 <= length <= 16383:
                raise Refused("a length is not in its shortest form")
        return self.take(length)


def read_header(source: Input) -> dict:
    if source.take(4) != b"HLVM":
        raise Refused("not a sealed voicemail")
    if source.integer(1) != 1:
        raise Refused("unknown version")
    if source.integer(1) != 1:
        raise Refused("unknown suite")
    hub, recording = source.vector(), source.vector()
    created_at, encoding, rate = source.integer(8), source.integer(1), source.integer(4)
    if not 1 <= len(hub) <= 128 or not 1 <= len(recording) <= 128:
        raise Refused("an id is out of bounds")
    if encoding != 1 or not 8000 <= rate <= 48000:
        raise Refused("unknown audio format")
    return {
        "hub": hub.decode(),
        "recording": recording.decode(),
        "created_at_ms": created_at,
        "sample_rate_hz": rate,
    }


def content_key(secret: X25519PrivateKey, header: bytes, source: Input) -> bytes:
    public = secret.public_key().public_bytes_raw()
    mine = hashlib.sha256(bind(READER_KEY_ID, public)).digest()[:16]
    count = source.integer(1)
    if not 1 <= count <= 64:
        raise Refused("the number of readers is out of bounds")
    entries = [(source.take(16), source.take(80)) for _ in range(count)]
    sealed = dict(reversed(entries)).get(mine)
    if sealed is None:
        raise Refused("not sealed to this key")
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    info = bind(INGEST_KEY_WRAP, header + mine)
    try:
        return suite.decrypt(sealed, secret, info=info)
    except InvalidTag:
        raise Refused("the entry for this key does not open") from None


def sound_of(key: bytes, header: bytes, body: bytes) -> tuple[bytes, bool]:
    decryptor = Cobblestone256Decryptor(key, bind(VOICEMAIL_BODY, header))
    if len(body) < 56:
        raise Refused("the file ends inside its header")
    whole_end = 56 + (len(body) - 56) // SEALED_CHUNK * SEALED_CHUNK
    try:
        pcm = decryptor.update(body[:whole_end])
    except InvalidTag:
        raise Refused("the body does not open") from None
    try:
        return pcm + decryptor.update(body[whole_end:]) + decryptor.finalize(), True
    except InvalidTag:
        return pcm, False


def main() -> None:
    key_file, sealed_file, pcm_file = sys.argv[1:]
    with open(key_file, encoding="utf-8") as file:
        secret = X25519PrivateKey.from_private_bytes(decode_key(file.read(), "hlsec"))
    with open(sealed_file, "rb") as file:
        source = Input(file.read())
    facts = read_header(source)
    header = source.data[: source.at]
    key = content_key(secret, header, source)
    pcm, facts["complete"] = sound_of(key, header, source.data[source.at :])
    with open(pcm_file, "wb") as file:
        file.write(pcm)
    print(json.dumps(facts))


if __name__ == "__main__":
    try:
        main()
    except Refused as refusal:
        sys.exit(f"refused: {refusal}")
