"""What the tests share: the bindings as an app gets them, and a person in them.

scripts/build-ffi makes the bindings.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
sys.path.insert(0, str(TARGET / "crypto-ffi" / "python"))

import crypto_ffi as crypto  # noqa: E402

HUB = "11" * 16
RECORD = "22" * 16
PEER = "09" * 16
PIN = "493027"
SHARE = bytes([7]) * 32
# Somebody's public key: the first of RFC 8032, section 7.1.
SERVER_KEY = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def person() -> crypto.Session:
    session = crypto.Session.create(None)
    session.begin_sigchain(now_ms())
    return session


def knowing(*sessions: crypto.Session) -> crypto.People:
    people = crypto.People()
    for session in sessions:
        people.add(session.user(), session.sigchain(), None)
    return people


def place(kind: str = "note") -> crypto.Place:
    return crypto.Place(kind, crypto.new_hub_id(), crypto.new_record_id())


def flipped(data: bytes, at: int = -1) -> bytes:
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


def mistyped(code: str) -> str:
    return code[:-1] + ("3" if code[-1] == "2" else "2")


class Refusals:
    """For a TestCase: that something is refused, with which code and a sentence."""

    def refused(self, code: str, work, *given):
        with self.assertRaises(crypto.Refusal) as caught:
            work(*given)
        self.assertEqual(caught.exception.code, code, caught.exception.sentence)
        self.assertRegex(caught.exception.sentence, r"^\S.{10,}")


def native_peer(*given: str) -> str:
    """Runs the native build without a session: crypto/session/examples/native_peer.rs."""
    command = ["cargo", "run", "-q", "--locked", "-p", "crypto-session"]
    command += ["--example", "native_peer", *given]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()
