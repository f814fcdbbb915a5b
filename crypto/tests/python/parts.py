"""What the formats of docs/protocol share, from `cryptography` and hashlib.

XChaCha20-Poly1305, BIP-340 and the key derivation of RFC 9180 are not in
`cryptography`; they are written here from their specifications.
"""

import hashlib
import hmac
import os
import struct

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.asymmetric.x25519 import (
    X25519PrivateKey,
    X25519PublicKey,
)
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class Refused(Exception):
    """The input breaks a rule of the format."""


def vector(data: bytes) -> bytes:
    if len(data) < 64:
        return bytes([len(data)]) + data
    return struct.pack(">H", 0x4000 + len(data)) + data


def bind(label: str, context: bytes) -> bytes:
    return vector(label.encode()) + vector(context)


class Input:
    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise Refused("the input ends too early")
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

    def front(self, magic: bytes) -> None:
        if self.take(4) != magic:
            raise Refused(f"not {magic.decode()}")
        if self.integer(1) != 1:
            raise Refused("unknown version")

    def end(self) -> None:
        if self.at != len(self.data):
            raise Refused("bytes after the end")


def extract(salt: bytes, secret: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), secret, "sha256")


def expand(key: bytes, info: bytes, length: int) -> bytes:
    out, block, count = b"", b"", 1
    while len(out) < length:
        block = hmac.digest(key, block + info + bytes([count]), "sha256")
        out, count = out + block, count + 1
    return out[:length]


def derive(secret: bytes, label: str, context: bytes) -> bytes:
    return expand(extract(b"", secret), bind(label, context), 32)


def hash_of(label: str, context: bytes) -> bytes:
    return hashlib.sha256(bind(label, context)).digest()


def check_signature(key: bytes, label: str, message: bytes, signature: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, bind(label, message))
    except InvalidSignature:
        raise Refused("a signature does not fit") from None


def sign(key: Ed25519PrivateKey, label: str, message: bytes) -> bytes:
    return key.sign(bind(label, message))


def pair(ikm: bytes) -> X25519PrivateKey:
    """DeriveKeyPair of RFC 9180, section 7.1.3."""
    suite = b"HPKE-v1KEM\x00\x20"
    prk = extract(b"", suite + b"dkp_prk" + ikm)
    return X25519PrivateKey.from_private_bytes(
        expand(prk, struct.pack(">H", 32) + suite + b"sk", 32)
    )


def public_of(key: X25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def unseal(key: X25519PrivateKey, label: str, context: bytes, sealed: bytes) -> bytes:
    try:
        return SUITE.decrypt(sealed, key, info=bind(label, context))
    except InvalidTag:
        raise Refused("a sealed key does not open") from None


def seal(public: bytes, label: str, context: bytes, secret: bytes) -> bytes:
    key = X25519PublicKey.from_public_bytes(public)
    return SUITE.encrypt(secret, key, info=bind(label, context))


def _rotate(value: int, count: int) -> int:
    return (value << count | value >> (32 - count)) & 0xFFFFFFFF


def hchacha20(key: bytes, nonce: bytes) -> bytes:
    """draft-irtf-cfrg-xchacha-03, section 2.2."""
    s = list(struct.unpack("<16I", b"expand 32-byte k" + key + nonce))
    columns = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15))
    diagonals = ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))
    for _ in range(10):
        for a, b, c, d in columns + diagonals:
            for shift_d, shift_b in ((16, 12), (8, 7)):
                s[a] = (s[a] + s[b]) & 0xFFFFFFFF
                s[d] = _rotate(s[d] ^ s[a], shift_d)
                s[c] = (s[c] + s[d]) & 0xFFFFFFFF
                s[b] = _rotate(s[b] ^ s[c], shift_b)
    return struct.pack("<8I", *s[:4], *s[12:])


def unbox(key: bytes, label: str, context: bytes, boxed: bytes) -> bytes:
    cipher = ChaCha20Poly1305(hchacha20(key, boxed[:16]))
    try:
        return cipher.decrypt(bytes(4) + boxed[16:24], boxed[24:], bind(label, context))
    except InvalidTag:
        raise Refused("a box does not open") from None


def box(key: bytes, label: str, context: bytes, secret: bytes) -> bytes:
    nonce = os.urandom(24)
    cipher = ChaCha20Poly1305(hchacha20(key, nonce[:16]))
    return nonce + cipher.encrypt(bytes(4) + nonce[16:], secret, bind(label, context))


P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)


def _add(p, q):
    if p is None or q is None:
        return p or q
    if p[0] == q[0] and p[1] != q[1]:
        return None
    if p == q:
        slope = 3 * p[0] * p[0] * pow(2 * p[1], -1, P) % P
    else:
        slope = (q[1] - p[1]) * pow(q[0] - p[0], -1, P) % P
    x = (slope * slope - p[0] - q[0]) % P
    return x, (slope * (p[0] - x) - p[1]) % P


def _times(p, count):
    out = None
    while count:
        if count & 1:
            out = _add(out, p)
        p, count = _add(p, p), count >> 1
    return out


def x_only(scalar: bytes) -> bytes:
    return _times(G, int.from_bytes(scalar, "big"))[0].to_bytes(32, "big")


def _tagged(name: bytes, data: bytes) -> bytes:
    tag = hashlib.sha256(name).digest()
    return hashlib.sha256(tag * 2 + data).digest()


def sign_schnorr(scalar: bytes, message: bytes) -> bytes:
    """Signing of BIP-340."""
    d = int.from_bytes(scalar, "big")
    d = d if _times(G, d)[1] % 2 == 0 else N - d
    masked = d ^ int.from_bytes(_tagged(b"BIP0340/aux", os.urandom(32)), "big")
    key = x_only(scalar)
    nonce = _tagged(b"BIP0340/nonce", masked.to_bytes(32, "big") + key + message)
    k = int.from_bytes(nonce, "big") % N
    point = _times(G, k)
    k = k if point[1] % 2 == 0 else N - k
    r = point[0].to_bytes(32, "big")
    e = int.from_bytes(_tagged(b"BIP0340/challenge", r + key + message), "big") % N
    return r + ((k + e * d) % N).to_bytes(32, "big")


def check_schnorr(key: bytes, message: bytes, signature: bytes) -> None:
    """Verification of BIP-340."""
    x, r = int.from_bytes(key, "big"), int.from_bytes(signature[:32], "big")
    s = int.from_bytes(signature[32:], "big")
    y = pow(x**3 + 7, (P + 1) // 4, P)
    challenge = _tagged(b"BIP0340/challenge", signature[:32] + key + message)
    e = int.from_bytes(challenge, "big") % N
    on_curve = x < P and r < P and s < N and y * y % P == (x**3 + 7) % P
    point = (x, y if y % 2 == 0 else P - y)
    found = _add(_times(G, s), _times(point, N - e)) if on_curve else None
    if found is None or found[1] % 2 or found[0] != r:
        raise Refused("a BIP-340 signature does not fit")
