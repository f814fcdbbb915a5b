"""The share of a device in a real key store: GNOME's, on a private bus, without a screen.

`secret-tool`, of another implementation of the Secret Service's interface, looks at what is kept.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

HERE = Path(__file__).parent
TOOLS = ("dbus-daemon", "gnome-keyring-daemon", "secret-tool")
KEYRING_PASSWORD = "the keyring's"
PATIENCE_S = 20


def share_name(vault: bytes) -> str:
    """As docs/protocol/vault-v1.md says."""
    label, header = b"hl/v1/vault/share-name", vault[:55]
    bound = bytes([len(label)]) + label + bytes([len(header)]) + header
    return hashlib.sha256(bound).hexdigest()


class Desktop(unittest.TestCase):
    """A bus and a key store of its own for each test."""

    def setUp(self):
        missing = [tool for tool in TOOLS if not shutil.which(tool)]
        self.assertEqual(missing, [], "run scripts/setup-tests")
        home = tempfile.TemporaryDirectory(prefix="centralita-keystore-")
        self.addCleanup(home.cleanup)
        self.home = Path(home.name)
        self.folder = self.home / "app"
        self.folder.mkdir()
        (self.home / "run").mkdir(mode=0o700)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": home.name,
            "XDG_RUNTIME_DIR": str(self.home / "run"),
            "XDG_DATA_HOME": str(self.home / "data"),
            "RUST_LOG": "trace",
        }
        if "CARGO_TARGET_DIR" in os.environ:
            self.environment["CARGO_TARGET_DIR"] = os.environ["CARGO_TARGET_DIR"]
        # Without the person's own services: one of them may start a key store by itself.
        configuration = self.home / "bus.conf"
        configuration.write_text(
            "<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen>"
            '<policy context="default"><allow send_destination="*" eavesdrop="true"/>'
            '<allow eavesdrop="true"/><allow own="*"/></policy></busconfig>'
        )
        bus = self.started(
            "dbus-daemon", f"--config-file={configuration}", "--nofork", "--print-address"
        )
        self.environment["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().decode().strip()

    def started(self, *command: str, given: bytes = b"") -> subprocess.Popen:
        process = subprocess.Popen(
            command,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

        def end():
            process.terminate()
            process.wait(PATIENCE_S)
            process.stdout.close()

        self.addCleanup(end)
        process.stdin.write(given)
        process.stdin.close()
        return process

    def with_key_store(self):
        self.started(
            "gnome-keyring-daemon",
            "--foreground",
            "--unlock",
            "--components=secrets",
            given=KEYRING_PASSWORD.encode(),
        )
        keyring = self.home / "data" / "keyrings" / "login.keyring"
        until = time.monotonic() + PATIENCE_S
        while not keyring.exists() or self.app("reach").get("refused"):
            self.assertLess(time.monotonic(), until, "the key store does not start")
            time.sleep(0.05)

    def app(self, work: str, **environment: str) -> dict:
        """One run of an app, which tells nobody the share."""
        done = subprocess.run(
            [sys.executable, HERE / "device_app.py", self.folder, work],
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=60,
        )
        self.said = done.stdout + done.stderr
        if not done.stdout:
            return {"failed": done.stderr.decode().splitlines()[-1]}
        return json.loads(done.stdout)

    def app_without_bus(self) -> dict:
        return self.app("seal", DBUS_SESSION_BUS_ADDRESS="unix:path=/nowhere")

    def secret_tool(self, *arguments: str, given: bytes = b"") -> bytes:
        done = subprocess.run(
            ["secret-tool", *arguments],
            env=self.environment,
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE_S,
        )
        return done.stdout


class DeviceStore(Desktop):
    def test_a_vault_opens_in_another_process_with_the_share_of_the_key_store(self):
        self.with_key_store()
        sealed = self.app("seal")
        self.assertEqual(sealed["done"], "seal")
        said = self.said
        unlocked = self.app("unlock")
        self.assertEqual((unlocked["done"], unlocked["locked"]), ("unlock", False))
        said += self.said

        share = self.secret_tool("lookup", "service", "centralita")
        self.assertEqual(len(share), 32)
        self.assertGreater(len(set(share)), 16)
        vault = (self.folder / "vault").read_bytes()
        written = [path.read_bytes() for path in self.home.rglob("*") if path.is_file()]
        self.assertGreater(len(written), 3)
        for text in [said, vault, *written]:
            for half in (share[:16], share[16:]):
                self.assertNotIn(half, text)
                self.assertNotIn(half.hex().encode(), text)
                self.assertNotIn(str(list(half))[1:-1].encode(), text)
        # What stands beside it in clear does not name the vault to the server.
        entry = self.secret_tool("search", "--all", "service", "centralita")
        self.assertIn(b"label = Centralita", entry)
        self.assertNotIn(vault[7:23].hex().encode(), entry)

    def test_without_its_share_a_vault_stays_closed(self):
        self.with_key_store()
        self.app("seal")
        self.assertEqual(self.app("forget"), {"done": "forget"})
        self.assertEqual(self.secret_tool("lookup", "service", "centralita"), b"")
        refused = self.app("unlock")
        self.assertEqual(refused["refused"], "share-missing")
        self.assertIn("recovery key", refused["sentence"])

    def test_a_new_code_locks_nobody_out_wherever_it_is_interrupted(self):
        self.with_key_store()
        self.app("seal")
        old = (self.folder / "vault").read_bytes()
        self.assertEqual(self.app("change-interrupted")["done"], "change-interrupted")
        self.assertEqual(self.app("unlock")["done"], "unlock")
        self.assertEqual(self.app("change")["done"], "change")
        self.assertEqual(self.app("unlock")["refused"], "wrong-code")
        self.assertEqual(self.app("unlock-new")["done"], "unlock-new")
        (self.folder / "vault").write_bytes(old)
        self.assertEqual(self.app("unlock")["refused"], "share-missing")

    def test_a_key_store_that_the_person_locks_is_named(self):
        self.with_key_store()
        self.app("seal")
        self.secret_tool("lock")
        for work in ("unlock", "seal"):
            refused = self.app(work)
            self.assertEqual(refused["refused"], "key-store-locked")
            self.assertIn("unlock it", refused["sentence"])

    def test_what_somebody_put_in_its_place_is_no_share(self):
        self.with_key_store()
        self.app("seal")
        entry = self.secret_tool("search", "service", "centralita")
        name = re.search(rb"^attribute\.username = (.+)$", entry, re.MULTILINE)[1].decode()
        self.assertEqual(name, share_name((self.folder / "vault").read_bytes()))
        place = ("service", "centralita", "username", name)
        self.secret_tool("store", "--label=x", *place, given=b"not a share")
        self.assertEqual(self.app("unlock")["refused"], "malformed")

    def test_a_vault_of_the_servers_share_alone_has_none_to_keep(self):
        self.with_key_store()
        self.assertEqual(self.app("keep-needless")["refused"], "share")

    def test_without_a_key_store_the_app_is_told(self):
        # Once no bus, and once a bus on which nobody keeps anything.
        for refused in (self.app_without_bus(), self.app("seal")):
            self.assertEqual(refused["refused"], "no-key-store")
            self.assertIn("GNOME Keyring", refused["sentence"])
        self.assertFalse((self.folder / "vault").exists())


if __name__ == "__main__":
    unittest.main()
