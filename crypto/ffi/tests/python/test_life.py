"""What a person does in an app, from the first key to the last."""

import json
import unittest

from people import (
    HUB,
    PEER,
    PIN,
    RECORD,
    SHARE,
    Refusals,
    crypto,
    flipped,
    knowing,
    mistyped,
    native_peer,
    now_ms,
    person,
    place,
)


class Life(Refusals, unittest.TestCase):
    def test_a_device_locks_and_opens_with_pin_and_the_servers_share(self):
        ana = person()
        user, device, chain, head = ana.user(), ana.device(), ana.sigchain(), ana.head()
        sealed = ana.seal_vault(PIN, SHARE, True, None)
        vault, share, proof = sealed.vault(), sealed.server_share(), sealed.server_proof()
        ana.lock()
        self.assertTrue(ana.is_locked())
        self.refused("locked", ana.sigchain)

        wrong = crypto.Unlocking(vault, "493028", SHARE, None)
        self.assertNotEqual(wrong.server_proof(), proof)
        self.refused("wrong-code", wrong.finish, share, user, device)
        self.refused("out-of-turn", wrong.finish, share, user, device)
        right = crypto.Unlocking(vault, PIN, SHARE, None)
        self.assertEqual(right.server_proof(), proof)
        self.refused("malformed", right.finish, share, "ana", device)
        again = right.finish(share, user, device)
        self.assertFalse(again.is_locked())
        again.follow_sigchain(chain, head)
        self.assertEqual(again.sigchain(), chain)
        self.refused("locked", ana.sigchain)

    def test_what_is_taken_away_opens_for_its_person_alone(self):
        ana, ben = person(), person()
        file = ana.seal_export(HUB, b"all of mine", None, now_ms())
        self.assertEqual(ana.open_export(file), b"all of mine")
        self.refused("not-for-you", ben.open_export, file)
        self.refused("altered", ana.open_export, flipped(file, -1))
        self.refused("mistyped", ana.seal_export, HUB, b"all", "hlpub1qqqq", now_ms())
        key = "hlpub1sxh63g93n6m6zqk9qw4yh0m8r4cy0xk9j9zsc0l7jfkex2qtc5cqg2vusj"
        also_offline = ana.seal_export(HUB, b"all of mine", key, now_ms())
        self.assertGreater(len(also_offline), len(file))

    def test_a_vault_wants_what_it_was_sealed_with(self):
        ana = person()
        self.refused("weak-code", ana.seal_vault, "123456", SHARE, False, None)
        self.refused("share", ana.seal_vault, PIN, None, False, None)
        self.refused("share", ana.seal_vault, PIN, SHARE[1:], False, None)
        self.assertEqual(len(ana.prf_input()), 32)
        vault = ana.seal_vault(PIN, SHARE, False, None).vault()
        other = crypto.Unlocking(vault, PIN, bytes(32), None)
        self.refused("wrong-code", other.finish, None, ana.user(), ana.device())
        self.refused("share", crypto.Unlocking, vault, PIN, None, None)

    def test_a_note_is_read_by_whom_it_was_sealed_to(self):
        ana, ben, eve = person(), person(), person()
        people = knowing(ana, ben, eve)
        here = place()
        readers = [ana.user(), ben.user()]
        record = ana.seal_note(here, "llamó dos veces".encode(), readers, people).record
        expected = crypto.Expectation(here, ana.user(), readers)
        for reader in (ana, ben):
            opened = reader.open_note(record, expected, people)
            self.assertEqual(opened.plaintext().decode(), "llamó dos veces")
            self.assertNotIn("llam", repr(opened))
            self.assertFalse(opened.author_revoked())
        self.refused("not-for-you", eve.open_note, record, expected, people)
        swapped = ana.seal_note(place(), b"another", readers, people).record
        self.refused("moved", ben.open_note, swapped, expected, people)
        self.refused("altered", ben.open_note, flipped(record), expected, people)
        forged = crypto.Expectation(here, eve.user(), readers)
        self.refused("moved", ben.open_note, record, forged, people)

    def test_readers_come_and_go_and_nothing_older_is_believed(self):
        ana, ben, eve = person(), person(), person()
        people = knowing(ana, ben, eve)
        here = place()
        first = ana.seal_note(here, b"one", [ben.user()], people)
        narrow = crypto.Expectation(here, ana.user(), [ana.user(), ben.user()])
        self.refused("reader-not-allowed", ana.add_reader, first.record, narrow, eve.user(), people)
        expected = crypto.Expectation(here, ana.user(), [s.user() for s in (ana, ben, eve)])
        added = ana.add_reader(first.record, expected, eve.user(), people)
        self.assertEqual(eve.open_note(added.record, expected, people).plaintext(), b"one")
        expected.seen(added.revision, added.manifest)
        self.refused("rollback", ben.open_note, first.record, expected, people)
        removed = ana.remove_reader(added.record, expected, eve.user(), people)
        self.refused("not-for-you", eve.open_note, removed.record, expected, people)
        revised = ana.revise_note(removed.record, expected, b"two", [ben.user()], people)
        self.assertEqual(revised.revision, 2)
        self.assertEqual(ben.open_note(revised.record, expected, people).plaintext(), b"two")

    def test_a_second_device_comes_in_by_digits(self):
        server = json.loads(native_peer("server", person().sigchain().hex()))
        for typed in (False, True):
            old, nobody, here = person(), crypto.People(), place()
            record = old.seal_note(here, b"mine", [], nobody).record
            fresh = crypto.Session.create(old.user())
            coming = crypto.NewPairing(fresh, typed)
            # The pairing has its keys now.
            self.assertTrue(fresh.is_locked())
            self.refused("locked", crypto.NewPairing, fresh, typed)
            self.assertIsNone(coming.digits())
            helping = crypto.OldPairing(old, coming.invitation(), typed)
            self.assertEqual(helping.room(), coming.room())
            reveal = helping.receive_share(coming.receive(helping.first()))
            helping.receive_hello(coming.receive(reveal))
            self.assertRegex(coming.digits(), r"^\d{3} \d{3}$")
            helping.confirm(coming.digits())
            self.refused("malformed", helping.admit, old, "no key", now_ms())
            pinned = None if typed else "%s\n%s" % (server["log"], server["witness"])
            session = coming.finish(helping.admit(old, pinned, now_ms()))
            self.assertEqual(session.pinned(), pinned)
            self.refused("out-of-turn", coming.invitation)
            self.refused("out-of-turn", helping.admit, old, None, now_ms())
            self.assertEqual(session.device(), fresh.device())
            session.follow_sigchain(old.sigchain(), None)
            session.open_items_key(old.sealed_items_key())
            expected = crypto.Expectation(here, old.user(), [old.user()])
            self.assertEqual(session.open_note(record, expected, nobody).plaintext(), b"mine")

            # And is put out again.
            old.revoke_device(session.device(), now_ms())
            old.rotate_key(now_ms())
            self.refused("not-for-you", session.follow_sigchain, old.sigchain(), None)

    def test_other_digits_end_a_pairing(self):
        old = person()
        coming = crypto.NewPairing(crypto.Session.create(old.user()), True)
        self.refused("mistyped", crypto.OldPairing, old, mistyped(coming.invitation()), True)
        helping = crypto.OldPairing(old, coming.invitation(), True)
        reveal = helping.receive_share(coming.receive(helping.first()))
        helping.receive_hello(coming.receive(reveal))
        digits = coming.digits()
        self.refused("interference", helping.confirm, mistyped(digits))
        self.refused("out-of-turn", helping.confirm, digits)

    def test_the_recovery_key_brings_a_person_back(self):
        lost = person()
        sheet = lost.make_recovery_key(now_ms())
        text = sheet.reveal()
        self.assertRegex(text, r"^([0-9A-Z]{4}[- ]){6}[0-9A-Z]{4}$")
        user, chain = lost.user(), lost.sigchain()
        lost.lock()
        paper = crypto.Session.recover(user, sheet.escrow(), text.lower())
        self.assertEqual(paper.device(), sheet.device())
        paper.follow_sigchain(chain, None)
        fresh = crypto.Session.create(user)
        paper.adopt(fresh, now_ms())
        self.assertEqual(fresh.sigchain(), paper.sigchain())
        self.refused("not-allowed", paper.adopt, paper, now_ms())
        self.refused("mistyped", crypto.Session.recover, user, sheet.escrow(), mistyped(text))

    def test_backup_codes_are_eight_and_a_typing_mistake_is_noticed(self):
        ana = person()
        sheet = ana.make_backup_codes(now_ms())
        codes = sheet.reveal()
        self.assertEqual(len(set(codes)), 8)
        self.assertNotIn(codes[0], repr(sheet))
        self.assertEqual(len(crypto.backup_proof(ana.user(), codes[0].lower())), 32)
        self.refused("mistyped", crypto.backup_proof, ana.user(), mistyped(codes[0]))
        self.refused("malformed", crypto.Session.recover_with_code, ana.user(), b"", codes[0])

    def test_a_file_is_whole_only_at_its_end(self):
        ana, ben = person(), person()
        people = knowing(ana, ben)
        here = place("attachment")
        file = bytes(i >> 3 & 255 for i in range(60_000))
        sealing = ana.seal_file(here, len(file), [ben.user()], people)
        body = [sealing.push(file[at : at + 7_000]) for at in range(0, len(file), 7_000)]
        self.refused("limit", sealing.push, b"more")
        sealed = ana.finish_file(sealing)
        self.refused("out-of-turn", sealing.push, b"x")
        self.refused("out-of-turn", ana.finish_file, sealing)
        body.append(sealed.end)
        expected = crypto.Expectation(here, ana.user(), [ana.user(), ben.user()])

        def opened(pieces):
            opening = ben.open_file(sealed.front.record, expected, people)
            file = b"".join([opening.push(piece) for piece in pieces] + [opening.finish()])
            self.refused("out-of-turn", opening.finish)
            return file

        self.assertEqual(opened(body), file)
        self.refused("altered", opened, body[:-1])
        self.refused("altered", opened, body[:-1] + [flipped(body[-1], 0)])

    def test_a_draft_opens_on_its_device_under_its_name(self):
        ana = person()
        draft = ana.seal_draft("note", b"half a sen")
        self.assertEqual(ana.open_draft("note", draft), b"half a sen")
        self.refused("altered", ana.open_draft, "reply", draft)
        self.refused("altered", person().open_draft, "note", draft)

    def test_an_invite_is_redeemed_and_a_request_signed(self):
        ana = person()
        proof = ana.redeem_invite("code", "https://hotline.example")
        self.assertEqual((proof[:4], len(proof)), (b"HLIP", 121))
        sign = (b"body", b"token", now_ms())
        one = ana.prove_request("POST", "/notes?x=1", *sign)
        self.assertNotEqual(one, ana.prove_request("POST", "/notes?x=1", *sign))


    def test_a_new_pin_brings_new_keys_and_old_notes_move_to_them(self):
        ana = person()
        people, here = knowing(ana), place()
        note = ana.seal_note(here, b"written before", [ana.user()], people)
        expected = crypto.Expectation(here, ana.user(), [ana.user()])
        self.assertIsNone(ana.rewrap_note(note.record, expected, people))
        before = ana.sigchain()
        changed = ana.change_passcode("842970", SHARE, False, None, now_ms())
        self.assertGreater(len(changed.sigchain()), len(before))
        facts = crypto.VaultFacts(changed.vault().vault())
        self.assertEqual((facts.needs_device(), facts.needs_server()), (True, False))
        self.assertFalse(facts.is_outdated())
        opened = ana.open_note(note.record, expected, people)
        self.assertEqual((opened.plaintext(), opened.rewrap()), (b"written before", "older"))
        moved = ana.rewrap_note(note.record, expected, people)
        whole = moved.front + note.record[len(note.front) :]
        again = ana.open_note(whole, expected, people)
        self.assertEqual((again.plaintext(), again.rewrap()), (b"written before", None))

    def test_a_locked_device_still_signs_what_it_looks_at(self):
        ana = person()
        view = crypto.LockedView(ana.device())
        ana.lock()
        sign = ("GET", "/api/v1/me", b"", b"token", now_ms())
        self.refused("locked", ana.prove_request, *sign)
        proof = view.prove_request(*sign)
        self.assertEqual((proof[:4], len(view.public_key())), (b"HLRP", 32))

    def test_a_log_that_nobody_confirms_says_so(self):
        key = "hotline.example/log+%s"
        self.refused("malformed", crypto.LogFollower.unwitnessed, key)
        server = json.loads(native_peer("server", person().sigchain().hex()))
        alone = crypto.LogFollower.unwitnessed(server["log"])
        seen = crypto.LogFollower(server["log"], [server["witness"]], 1)
        self.assertEqual((alone.is_witnessed(), seen.is_witnessed()), (False, True))


class Native(Refusals, unittest.TestCase):
    """Between the bindings and the native build, which knows nothing of sessions."""

    def test_notes_go_both_ways(self):
        ana = person()
        people = crypto.People()
        people.add(PEER, bytes.fromhex(native_peer("chain")), None)
        here = crypto.Place("note", HUB, RECORD)
        record = ana.seal_note(here, b"from the phone", [PEER], people).record
        read = native_peer("read", ana.sigchain().hex(), record.hex())
        self.assertEqual(read, "from the phone")
        theirs = native_peer("write", ana.sigchain().hex(), "from afar")
        expected = crypto.Expectation(here, PEER, [PEER, ana.user()])
        opened = ana.open_note(bytes.fromhex(theirs), expected, people)
        self.assertEqual(opened.plaintext(), b"from afar")

    def test_who_called_a_voicemail_and_the_key_log(self):
        ana = person()
        server = json.loads(native_peer("server", ana.sigchain().hex()))
        sent = {
            name: bytes.fromhex(server[name])
            for name in ("key", "caller", "voicemail", "header", "entries")
        }
        people = knowing(ana)
        key = crypto.ServerKey(server["id"], sent["key"])
        contact = crypto.Place("contact", HUB, RECORD)
        expected = crypto.Expectation.of_server(contact, key, [ana.user()])
        caller = ana.open_note(sent["caller"], expected, people)
        self.assertEqual(caller.plaintext(), b"+4930123456")

        file, header = sent["voicemail"], sent["header"]
        heard = ana.open_signed_voicemail(file, header, HUB, RECORD, key)
        self.assertTrue(heard.is_complete())
        facts = (heard.hub(), heard.recording(), heard.sample_rate_hz(), heard.created_at_ms())
        self.assertEqual(facts, (HUB, RECORD, 8_000, server["now"]))
        sound = b"".join(heard.chunk(index) for index in range(heard.chunk_count()))
        self.assertEqual(sound, bytes([7]) * 20_000)
        self.refused("malformed", heard.chunk, heard.chunk_count())
        self.refused("malformed", heard.chunk, 2**64 - 1)
        self.refused("moved", ana.open_signed_voicemail, file, header, HUB, "23" * 16, key)
        self.refused("altered", ana.open_signed_voicemail, flipped(file), header, HUB, RECORD, key)
        self.refused("not-for-you", person().open_voicemail, file)
        cut = ana.open_voicemail(file[:-40])
        self.assertFalse(cut.is_complete())

        log = crypto.LogFollower(server["log"], [server["witness"]], 1)
        self.assertEqual(log.size(), 0)
        self.refused("key-needed", log.check_own, ana)
        stored = log.accept(server["checkpoint"], b"", server["now"], 60)
        self.refused("altered", log.download, flipped(sent["entries"]))
        log.download(sent["entries"])
        log.check_own(ana)
        log.check_people(people)
        self.refused("unlogged", log.check_people, knowing(person()))
        ana.rotate_key(now_ms())
        self.refused("withheld", log.check_own, ana)
        later = crypto.LogFollower(server["log"], [server["witness"]], 1)
        later.resume(stored)
        self.assertEqual(later.size(), 1)
        hour = 3_600_000
        self.refused("unconfirmed", later.accept, stored, b"", server["now"] + hour, 60)


if __name__ == "__main__":
    unittest.main()
