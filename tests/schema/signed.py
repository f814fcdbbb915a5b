"""Signs every request that schemathesis sends, and looks at every refusal.

Written from docs/protocol/sigchain-v1.md ("Login"): the environment has a
device's seed and ids, and this logs in with them and proves each request.
"""

import base64
import hashlib
import os
import secrets
import threading
import time

import reached  # noqa: F401 (its hooks)
import requests
import schemathesis
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ORIGIN = os.environ["SCHEMA_ORIGIN"]
AUTHORITY = os.environ["SCHEMA_AUTHORITY"]
DEVICE = bytes.fromhex(os.environ["SCHEMA_DEVICE"])
SEED = bytes.fromhex(os.environ["SCHEMA_SEED"])

DEVICE_SIGN_SEED = b"hl/v1/device/device-sign-seed"
AUTH_CHALLENGE = b"hl/v1/device/auth-challenge"
REQUEST_POP = b"hl/v1/device/request-pop"

# Codes that a refusal of a request from this test can never have.
SURPRISES = {"internal", "unavailable"}


def vector(octets: bytes) -> bytes:
    """`opaque x<V>` of voicemail-v1.md: a length of one or two bytes first."""
    length = len(octets)
    return (bytes([length]) if length < 64 else (0x4000 | length).to_bytes(2, "big")) + octets


def bind(label: bytes, context: bytes) -> bytes:
    return vector(label) + vector(context)


def to_text(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def from_text(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def signing_key(seed: bytes) -> Ed25519PrivateKey:
    derived = HKDF(SHA256(), 32, None, bind(DEVICE_SIGN_SEED, b"")).derive(seed)
    return Ed25519PrivateKey.from_private_bytes(derived)


class Signed(requests.auth.AuthBase):
    """Logs in when needed, and signs."""

    def __init__(self) -> None:
        self.key = signing_key(SEED)
        self.token = b""
        self.good_until = 0.0
        self.lock = threading.Lock()

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        with self.lock:
            if time.time() > self.good_until:
                self.log_in()
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else bytes(body)
        request.headers["Authorization"] = f"Bearer {to_text(self.token)}"
        request.headers["Centralita-Proof"] = to_text(
            self.proof(request.method, request.path_url, body)
        )
        return request

    def log_in(self) -> None:
        asked = {"device": DEVICE.hex()}
        challenge = from_text(post("/api/v1/login/challenge", asked)["challenge"])
        signature = self.key.sign(bind(AUTH_CHALLENGE, challenge))
        proof = b"HLLP\x01" + challenge + signature
        tokens = post("/api/v1/login", {"proof": to_text(proof)})
        self.token = from_text(tokens["access"])
        self.good_until = tokens["access_expires_at_ms"] / 1000 - 30

    def proof(self, method: str, path: str, body: bytes) -> bytes:
        front = DEVICE + int(time.time() * 1000).to_bytes(8, "big") + secrets.token_bytes(16)
        message = (
            b"\x01"
            + front
            + vector(method.upper().encode())
            + vector(path.encode())
            + hashlib.sha256(body).digest()
            + hashlib.sha256(self.token).digest()
        )
        return b"HLRP\x01" + front + self.key.sign(bind(REQUEST_POP, message))


def post(path: str, value: dict) -> dict:
    answer = requests.post(ORIGIN + path, json=value, verify=AUTHORITY, timeout=10)
    answer.raise_for_status()
    return answer.json()


schemathesis.auth.set_from_requests(Signed())


@schemathesis.check
def refusals_are_sentences(ctx, response, case) -> None:
    """What is refused is refused in the API's one form, for programs and for people."""
    if response.status_code < 400:
        return
    kind = response.headers.get("content-type", ["none"])[0]
    assert kind == "application/problem+json", f"a refusal as {kind}"
    problem = response.json()
    assert problem["status"] == response.status_code, "the refusal names another status"
    assert problem["code"] not in SURPRISES, f"a request makes the server say {problem['code']}"
    assert len(problem["detail"]) > 8, "the refusal has no sentence"
    if problem["code"] == "too-many":
        assert problem["retry_after_s"] > 0, "too many, and no word on how long to wait"
