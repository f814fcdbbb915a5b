"""Whatever an app or a server sends in: it is refused with a code, and the process lives.

What is called is read off the bindings, so that nothing new is left out.
"""

import inspect
import os
import random
import subprocess
import sys
import typing
import unittest
from pathlib import Path

from people import (
    HUB,
    PEER,
    PIN,
    RECORD,
    SERVER_KEY,
    SHARE,
    Refusals,
    crypto,
    knowing,
    now_ms,
    person,
    place,
)

# Of a locked session these still say something.
NEVER_LOCKED = {"user", "device", "pinned", "is_locked", "lock"}
CLASSES = [
    kind
    for name, kind in inspect.getmembers(crypto, inspect.isclass)
    if hasattr(kind, "_uniffi_make_instance")
]
CODES = {
    *"locked wrong-code weak-code mistyped share out-of-memory malformed too-new rollback".split(),
    *"moved altered not-for-you reader-not-allowed key-needed unknown-person login".split(),
    *"interference out-of-turn limit not-allowed unconfirmed unlogged foreign-keys".split(),
    *"withheld no-key-store share-missing".split(),
}
# Nothing in here may reach the key store of whoever runs the tests.
os.environ["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=/nowhere"


def arguments(call) -> dict:
    hints = typing.get_type_hints(call, vars(crypto))
    hints.pop("return", None)
    return hints


def calls(kind) -> dict:
    """The methods of an object that are not the generator's own."""
    methods = inspect.getmembers(kind, inspect.isfunction)
    return {name: method for name, method in methods if not name.startswith("_")}


def makers() -> dict:
    """Everything that is called without an object."""
    made = {}
    for kind in CLASSES:
        if "__init__" in vars(kind) and "args" not in inspect.signature(kind.__init__).parameters:
            made[kind.__name__] = (kind, arguments(kind.__init__))
        for name, method in inspect.getmembers(kind, inspect.ismethod):
            if not name.startswith("_"):
                made[f"{kind.__name__}.{name}"] = (method, arguments(method))
    for name in ("backup_proof", "new_hub_id", "new_record_id"):
        made[name] = (getattr(crypto, name), arguments(getattr(crypto, name)))
    return made


class Locked(Refusals, unittest.TestCase):
    def test_a_locked_session_does_nothing(self):
        ana, ben = person(), person()
        people, here = knowing(ben), place()
        admin, roles = person(), [crypto.Role(id=1, admin=True, reviewer=False, permissions=0)]
        admin.create_hub(HUB, roles, 1, now_ms())
        admin.new_hub_key(HUB, None, knowing(admin), now_ms())
        given = {
            "hub": HUB,
            "secret": admin.invite_secret(HUB, RECORD, 1),
            "user": PEER,
            "reader": PEER,
            "author": PEER,
            "record": RECORD,
            "visibility": "case",
            "field": "name",
            "code": PIN,
            "place": here,
            "people": people,
            "new": ben,
            "expectation": crypto.Expectation(here, PEER, [PEER]),
            "server": crypto.ServerKey(PEER, SERVER_KEY),
            "device": ben.device(),
            # An invitation's.
            "id": RECORD,
        }
        by_kind = {
            str: "x",
            bytes: b"x",
            int: 1,
            bool: False,
            typing.List[str]: [PEER],
            typing.List[bytes]: [],
            typing.List[crypto.Role]: [],
            typing.Optional[bytes]: None,
            typing.Optional[str]: None,
            crypto.Role: crypto.Role(id=1, admin=True, reviewer=False, permissions=0),
        }
        ana.lock()
        ana.lock()
        tried = 0
        for name, method in calls(crypto.Session).items():
            if name in NEVER_LOCKED:
                continue
            values = []
            for argument, kind in arguments(method).items():
                if kind is crypto.SealingFile:
                    values.append(ben.seal_file(here, 1, [], people))
                elif kind in by_kind and not (kind is str and argument in given):
                    values.append(by_kind[kind])
                else:
                    values.append(given[argument])
            with self.subTest(name):
                self.refused("locked", method, ana, *values)
            tried += 1
        self.assertGreater(tried, 45)
        self.refused("locked", crypto.NewPairing, ana, False)
        self.refused("locked", crypto.OldPairing, ana, "x", False)
        self.assertEqual((ana.is_locked(), len(ana.user())), (True, 32))


class Nonsense(unittest.TestCase):
    """Every call with what does not belong there."""

    ROUNDS = 8
    TRIES = 25
    # What fits where, by the name of the argument; the rest of a call is then nonsense.
    FITTING = {
        "hub": [HUB],
        "kind": ["note", "attachment", "contact"],
        "visibility": ["case", "private", "reporter"],
        "field": ["name", "phone", "email", "case", "3/4"],
        "role": [1, 2],
        "own_role": [1],
        "method": ["GET"],
        "path": ["/"],
    }

    def setUp(self):
        self.random = random.Random(20_261_128)

    def sound(self) -> dict:
        """What can be had of a device that is well, by kind."""
        ana, ben = person(), person()
        people, here = knowing(ana, ben), place()
        readers = [ana.user(), ben.user()]
        role = crypto.Role(id=1, admin=True, reviewer=True, permissions=7)
        ana.create_hub(HUB, [role], 1, now_ms())
        key = ana.new_hub_key(HUB, None, people, now_ms())
        note = ana.seal_note(here, b"text", readers, people)
        sealing = ana.seal_file(here, 10, readers, people)
        sealing.push(b"0123456789")
        front = ana.finish_file(sealing).front.record
        expected = crypto.Expectation(here, ana.user(), readers)
        sheet, codes = ana.make_recovery_key(now_ms()), ana.make_backup_codes(now_ms())
        coming = crypto.NewPairing(crypto.Session.create(ana.user()), True)
        helping = crypto.OldPairing(ana, coming.invitation(), True)
        vault = ana.seal_vault(PIN, SHARE, True, None)
        log = "hotline.example/log+00000000+AQ=="
        return {
            crypto.Session: [ana, ben, crypto.Session.create(None)],
            crypto.People: [people, crypto.People()],
            crypto.Place: [here, crypto.Place("attachment", HUB, RECORD)],
            crypto.Expectation: [expected],
            crypto.ServerKey: [crypto.ServerKey(PEER, SERVER_KEY)],
            crypto.SealingFile: [ana.seal_file(here, 10, readers, people)],
            crypto.OpeningFile: [ana.open_file(front, expected, people)],
            crypto.OpenedNote: [ana.open_note(note.record, expected, people)],
            crypto.NewPairing: [coming],
            crypto.OldPairing: [helping],
            crypto.NewVault: [vault],
            crypto.DeviceShare: [crypto.DeviceShare()],
            crypto.VaultFacts: [crypto.VaultFacts(vault.vault())],
            crypto.LockedView: [crypto.LockedView(ana.device())],
            crypto.Unlocking: [crypto.Unlocking(vault.vault(), PIN, SHARE, None)],
            crypto.RecoverySheet: [sheet],
            crypto.BackupSheet: [codes],
            crypto.Role: [role],
            bytes: [
                note.record,
                front,
                ana.sigchain(),
                ana.head(),
                ana.roster(HUB),
                ana.roster_head(HUB),
                key.wraps[0].wrap,
                key.search_root,
                ana.sealed_items_key(),
                ana.seal_draft("note", b"draft"),
                ana.seal_settings(HUB, b"{}", people, now_ms()),
                sheet.escrow(),
                codes.set(),
                vault.vault(),
                helping.first(),
            ],
            str: [
                *(ana.user(), ben.device(), HUB, RECORD, PIN, log),
                *(sheet.reveal(), codes.reveal()[0], coming.invitation()),
            ],
        }

    def octets(self, sound: dict) -> bytes:
        choice = self.random.randrange(4)
        if choice == 0:
            return self.random.randbytes(self.random.choice([0, 1, 4, 31, 32, 33, 64, 1_000]))
        whole = bytearray(self.random.choice(sound[bytes]))
        if choice == 1:
            del whole[self.random.randrange(len(whole)) :]
        elif choice == 2:
            whole[self.random.randrange(len(whole))] = self.random.randrange(256)
        return bytes(whole)

    def text(self, sound: dict) -> str:
        words = ["note", "attachment", "case", "private", "name", "phone", "3/4", "255/255"]
        odd = ["", " ", "\0", "x" * 10_000, "é" * 32, "0" * 32]
        return self.random.choice(odd + words + sound[str])

    def value(self, kind, sound: dict):
        if kind is str:
            return self.text(sound)
        if kind is bytes:
            return self.octets(sound)
        if kind is bool:
            return self.random.random() < 0.5
        if kind is int:
            return self.random.choice([0, 1, 2, 255, 2**16 - 1, 2**32 - 1, 2**63, 2**64 - 1])
        if typing.get_origin(kind) is typing.Union:
            inner = typing.get_args(kind)[0]
            return self.value(inner, sound) if self.random.random() < 0.7 else None
        if typing.get_origin(kind) is list:
            inner = typing.get_args(kind)[0]
            return [self.value(inner, sound) for _ in range(self.random.randrange(70))]
        return self.random.choice(sound[kind])

    def fitting(self, name: str, kind, sound: dict):
        fits = self.FITTING.get(name, [])
        if kind is str and name in ("user", "reader", "author"):
            fits = [sound[crypto.Session][0].user(), sound[crypto.Session][1].user()]
        if fits and self.random.random() < 0.8 and isinstance(fits[0], kind):
            return self.random.choice(fits)
        return self.value(kind, sound)

    def tried(self, what: str, call, hints: dict, sound: dict, codes: set):
        values = [self.fitting(name, kind, sound) for name, kind in hints.items()]
        try:
            call(*values)
        except crypto.Refusal as refusal:
            self.assertIn(refusal.code, CODES, what)
            codes.add(refusal.code)
        except ValueError as error:
            # A number that the bindings themselves do not let through.
            self.assertIn("requires", str(error), what)
        except crypto.InternalError as error:
            self.fail(f"{what} panicked with {repr(values)[:500]}: {error}")

    def test_every_call_refuses_nonsense_with_a_code(self):
        codes, made = set(), makers()
        self.assertGreater(len(made), 12)
        for _ in range(self.ROUNDS):
            sound = self.sound()
            for _ in range(self.TRIES):
                for what, (call, hints) in made.items():
                    self.tried(what, call, hints, sound, codes)
                for kind in CLASSES:
                    self.tried_all_of(kind, sound, codes)
        self.assertGreater(len(codes), 10, codes)

    def tried_all_of(self, kind, sound: dict, codes: set):
        for name, method in calls(kind).items():
            if name != "lock" and sound.get(kind):
                bound = getattr(self.random.choice(sound[kind]), name)
                self.tried(f"{kind.__name__}.{name}", bound, arguments(method), sound, codes)


class Process(unittest.TestCase):
    def test_a_process_lives_after_all_of_this(self):
        # A crash of the library would take these tests along without a word.
        program = """
from people import crypto, person
here = crypto.Place("note", "0" * 32, "0" * 32)
nothing = crypto.Expectation(here, "0" * 32, [])
for work in (
    lambda: crypto.People().add("x", b"", None),
    lambda: crypto.Unlocking(b"", "", b"", b""),
    lambda: person().open_note(b"", nothing, crypto.People()),
    lambda: crypto.Session.recover("0" * 32, b"\\xff" * 64, ""),
):
    try:
        work()
    except crypto.Refusal as refusal:
        print(refusal.code)
"""
        command = [sys.executable, "-c", program]
        here = Path(__file__).parent
        done = subprocess.run(command, cwd=here, stdout=subprocess.PIPE, text=True, check=True)
        self.assertEqual(done.stdout.split(), ["malformed", "malformed", "malformed", "mistyped"])


if __name__ == "__main__":
    unittest.main()
