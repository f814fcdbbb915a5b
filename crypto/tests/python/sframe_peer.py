"""Reads offers of call keys, and speaks and hears SFrame.

Written from docs/protocol/sframe-v1.md and RFC 9605.
"""

import json
import os
import sys

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand
from parts import Refused, check_signature, derive, pair, unseal

OFFER = "hl/v1/realtime/call-key-offer"
WRAP = "hl/v1/realtime/call-key-wrap"
BASE_KEY = "hl/v1/realtime/sframe-base-key"
DEVICE_HPKE_IKM = "hl/v1/device/device-hpke-ikm"


def shortest(number):
    return number.to_bytes(max(1, (number.bit_length() + 7) // 8))


def header(kid, ctr):
    """RFC 9605 section 4.3."""
    config, rest = 0, b""
    for shift, number in ((4, kid), (0, ctr)):
        if number < 8:
            config |= number << shift
        else:
            encoded = shortest(number)
            config |= (8 | len(encoded) - 1) << shift
            rest += encoded
    return bytes([config]) + rest


def read_header(frame):
    at, numbers = 1, []
    for part in (frame[0] >> 4, frame[0] & 15):
        if part & 8:
            length = (part & 7) + 1
            numbers.append(int.from_bytes(frame[at:at + length]))
            at += length
        else:
            numbers.append(part)
    if header(*numbers) != frame[:at]:
        raise Refused("the header is not in its shortest form")
    return *numbers, at


def keys(kid, base_key):
    """RFC 9605 section 4.4.2 with suite 5."""
    context = kid.to_bytes(8) + (5).to_bytes(2)
    secret = HKDF.extract(SHA512(), b"", base_key)

    def expand(label, length):
        return HKDFExpand(SHA512(), length, label + context).derive(secret)

    return expand(b"SFrame 1.0 Secret key ", 32), expand(b"SFrame 1.0 Secret salt ", 12)


def nonce(salt, ctr):
    return bytes(a ^ b for a, b in zip(salt, ctr.to_bytes(12)))


def speak(base_key, kid, ctr, metadata, sound):
    key, salt = keys(kid, base_key)
    front = header(kid, ctr)
    return front + AESGCM(key).encrypt(nonce(salt, ctr), sound, front + metadata)


def hear(base_key, frame, metadata=b""):
    kid, ctr, at = read_header(frame)
    key, salt = keys(kid, base_key)
    try:
        return AESGCM(key).decrypt(nonce(salt, ctr), frame[at:], frame[:at] + metadata)
    except InvalidTag:
        raise Refused("the frame was altered") from None


def read_offer(offer, call, signer):
    if offer[:5] != b"HLCK\x01" or offer[5:21] != call:
        raise Refused("no offer for this call")
    signed, signature = offer[:-64], offer[-64:]
    check_signature(signer, OFFER, signed, signature)
    members = [signed[58 + 112 * i:][:112] for i in range(signed[57])]
    if len(signed) != 58 + 112 * len(members):
        raise Refused("the offer is malformed")
    return signed[21:25], signed[25:57], members


def main():
    request = json.load(sys.stdin)
    if "vectors" in request:
        return check(request["vectors"])
    field = {name: bytes.fromhex(request[name])
             for name in ("offer", "call", "signer", "user", "device", "seed")}
    epoch, signer, members = read_offer(field["offer"], field["call"], field["signer"])
    own = field["user"] + field["device"]
    place = [member[:32] for member in members].index(own)
    private = pair(derive(field["seed"], DEVICE_HPKE_IKM, b""))
    context = field["call"] + epoch + signer + own
    secret = unseal(private, WRAP, context, members[place][32:])

    def base_key(member, kid):
        context = field["call"] + epoch + member + kid.to_bytes(8)
        return derive(secret, BASE_KEY, context)

    heard = []
    for frame in map(bytes.fromhex, request["frames"]):
        kid, _, _ = read_header(frame)
        if kid >> 8 & 255 != epoch[3]:
            raise Refused("another epoch")
        speaker = members[kid & 255][:32]
        sound = hear(base_key(speaker, kid), frame)
        heard.append([speaker[16:].hex(), sound.hex()])
    kid = int.from_bytes(os.urandom(6) + epoch[3:] + bytes([place]))
    sealed = [speak(base_key(own, kid), kid, ctr, b"", bytes.fromhex(sound)).hex()
              for ctr, sound in enumerate(request["say"])]
    return {"heard": heard, "sealed": sealed}


def check(vectors):
    for kid, ctr, encoded in vectors["header"]:
        assert header(kid, ctr).hex() == encoded
        assert read_header(bytes.fromhex(encoded)) == (kid, ctr, len(encoded) // 2)
    v = vectors["suite_5"]
    base_key, metadata, sound, ct = (
        bytes.fromhex(v[name]) for name in ("base_key", "metadata", "pt", "ct"))
    assert speak(base_key, v["kid"], v["ctr"], metadata, sound) == ct
    assert hear(base_key, ct, metadata) == sound
    return {"checked": len(vectors["header"]) + 1}


try:
    print(json.dumps(main()))
except Refused as refused:
    sys.exit(str(refused))
