"""Opens and seals vaults and escrows as docs/protocol/vault-v1.md says.

Reads one JSON request, writes one JSON answer; bytes are hexadecimal.
"""

import hashlib
import json
import os
import sys

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from notation import (Refused, bind, derive, digest, open_box, read_code,
                      seal_box, write_code)

VAULT_KEK = "hl/v1/vault/vault-kek"
VAULT_BLOB = "hl/v1/vault/vault-blob"
VAULT_PRF_SALT = "hl/v1/vault/vault-prf-salt"
VAULT_SHARE_AUTH = "hl/v1/vault/share-auth"
AUTH_VERIFIER = "hl/v1/vault/auth-verifier"
RECOVERY_KEK = "hl/v1/vault/recovery-kek"
BACKUP_CODE_AUTH = "hl/v1/vault/backup-code-auth"
BACKUP_CODE_KEK = "hl/v1/vault/backup-code-kek"
ESCROW_BLOB = "hl/v1/vault/escrow-blob"


def stretch(kdf, code, salt):
    code = code.strip().encode()
    if kdf == 1:
        return hashlib.pbkdf2_hmac("sha256", code, salt, 600_000)
    if kdf == 2:
        return Argon2id(salt=salt, length=32, iterations=3, lanes=1,
                        memory_cost=65536).derive(code)
    raise Refused("unknown kdf")


def keys(header, code, shares):
    stretched = stretch(header[5], code, header[23:55])
    if any((header[6] >> i & 1) != (s is not None) for i, s in enumerate(shares)):
        raise Refused("other shares are needed")
    kek = derive(stretched + b"".join(s for s in shares if s), bind(VAULT_KEK, header))
    return kek, derive(stretched + (shares[0] or b""), bind(VAULT_SHARE_AUTH, header))


def open_vault(vault, code, shares):
    if len(vault) != 127 or vault[:5] != b"HLVT\x01":
        raise Refused("not a vault")
    header, box = vault[:55], vault[55:]
    if header[6] > 7 or not header[6] & 3:
        raise Refused("bad shares")
    kek, auth = keys(header, code, shares)
    return {"seed": open_box(kek, bind(VAULT_BLOB, header), box), "auth": auth,
            "verifier": digest(AUTH_VERIFIER, auth),
            "prf_input": digest(VAULT_PRF_SALT, header[7:23])}


def seal_vault(kdf, seed, code, shares):
    named = sum(1 << i for i, share in enumerate(shares) if share)
    header = b"HLVT\x01" + bytes([kdf, named]) + os.urandom(48)
    kek, auth = keys(header, code, shares)
    return {"vault": header + seal_box(kek, bind(VAULT_BLOB, header), seed), "auth": auth}


def code_bytes(kind, text):
    return read_code(text, {1: 128, 2: 110}[kind])


def open_escrow(escrow, user, text):
    header, box = escrow[:38], escrow[38:]
    if header[:5] != b"HLES\x01" or header[6:22] != user:
        raise Refused("not this person's escrow")
    label = {1: RECOVERY_KEK, 2: BACKUP_CODE_KEK}[header[5]]
    kek = derive(code_bytes(header[5], text), bind(label, header))
    return {"secret": open_box(kek, bind(ESCROW_BLOB, header), box)}


def seal_escrow(kind, user, secret):
    code = os.urandom(16) if kind == 1 else os.urandom(13) + bytes([os.urandom(1)[0] & 0xFC])
    header = b"HLES\x01" + bytes([kind]) + user + os.urandom(16)
    kek = derive(code, bind({1: RECOVERY_KEK, 2: BACKUP_CODE_KEK}[kind], header))
    escrow = header + seal_box(kek, bind(ESCROW_BLOB, header), secret)
    answer = {"escrow": escrow, "text": write_code(code, {1: 128, 2: 110}[kind]).encode()}
    if kind == 2:
        answer["auth"] = derive(code, bind(BACKUP_CODE_AUTH, user))
    return answer


def main():
    request = json.load(sys.stdin)
    command = request.pop("command")

    def argument(value):
        if isinstance(value, list):
            return [argument(v) for v in value]
        return bytes.fromhex(value[4:]) if isinstance(value, str) and value.startswith("hex:") else value

    arguments = {name: argument(value) for name, value in request.items()}
    commands = {"open": open_vault, "seal": seal_vault,
                "open_escrow": open_escrow, "seal_escrow": seal_escrow}
    answer = commands[command](**arguments)
    json.dump({name: value.hex() for name, value in answer.items()}, sys.stdout)


try:
    main()
except Refused as refusal:
    sys.exit(f"refused: {refusal}")
