"""The notation that the pages in docs/protocol/ share."""

import os
import struct
from hashlib import sha256

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Refused(Exception):
    pass


def opaque(data):
    n = len(data)
    return (bytes([n]) if n < 64 else struct.pack(">H", 0x4000 | n)) + data


def bind(label, context):
    return opaque(label.encode()) + opaque(context)


def digest(label, context):
    return sha256(bind(label, context)).digest()


def derive(secret, bound, length=32):
    return HKDF(SHA256(), length, None, bound).derive(secret)


def hchacha20(key, nonce):
    """draft-irtf-cfrg-xchacha section 2.2."""
    s = list(struct.unpack("<16I", b"expand 32-byte k" + key + nonce))

    def quarter(a, b, c, d):
        for x, y, z, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            s[x] = (s[x] + s[y]) & 0xFFFFFFFF
            v = s[z] ^ s[x]
            s[z] = (v << bits | v >> (32 - bits)) & 0xFFFFFFFF

    for _ in range(10):
        for q in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                  (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
            quarter(*q)
    return struct.pack("<8I", *s[:4], *s[12:])


def open_box(key, bound, box):
    nonce, sealed = box[:24], box[24:]
    aead = ChaCha20Poly1305(hchacha20(key, nonce[:16]))
    try:
        return aead.decrypt(bytes(4) + nonce[16:], sealed, bound)
    except Exception:
        raise Refused("the box does not open") from None


def seal_box(key, bound, plain):
    nonce = os.urandom(24)
    aead = ChaCha20Poly1305(hchacha20(key, nonce[:16]))
    return nonce + aead.encrypt(bytes(4) + nonce[16:], plain, bound)


def values(text):
    text = "".join(c for c in text.upper() if not c.isspace() and c not in "-_")
    return [ALPHABET.index(c) for c in text.translate(str.maketrans("OIL", "011"))]


def characters(numbers):
    return "".join(ALPHABET[n] for n in numbers)


def to_values(data, bits):
    number = int.from_bytes(data) >> (len(data) * 8 - bits) << -bits % 5
    count = -(-bits // 5)
    return [number >> 5 * (count - 1 - i) & 31 for i in range(count)]


def to_bytes(numbers, bits):
    number = 0
    for n in numbers:
        number = number << 5 | n
    length = -(-bits // 8)
    return (number >> -bits % 5 << length * 8 - bits).to_bytes(length)


def remainder(numbers):
    high = low = 0
    for n in numbers:
        d = high << 1
        d ^= 0x25 if d & 32 else 0
        high, low = low ^ high ^ d, n ^ d
    return [high, low]


def read_code(text, bits):
    numbers = values(text)
    if len(numbers) != -(-bits // 5) + 2 or remainder(numbers) != [0, 0]:
        raise Refused("mistyped")
    return to_bytes(numbers[:-2], bits)


def write_code(data, bits):
    numbers = to_values(data, bits)
    text = characters(numbers + remainder(numbers + [0, 0]))
    return "-".join(text[i:i + 4] for i in range(0, len(text), 4))
