"""Several threads with the same objects."""

import threading
import unittest

from people import Refusals, crypto, knowing, now_ms, person, place


def together(*works) -> list:
    """What each of them gave or was refused with, all begun at once."""
    start, results = threading.Barrier(len(works)), [None] * len(works)

    def run(index, work):
        start.wait()
        try:
            results[index] = work()
        except crypto.Refusal as refusal:
            results[index] = refusal.code

    threads = [
        threading.Thread(target=run, args=given, daemon=True) for given in enumerate(works)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if any(thread.is_alive() for thread in threads):
        raise AssertionError("two threads wait for each other")
    return results


class Threads(Refusals, unittest.TestCase):
    def test_eight_threads_write_with_one_session(self):
        ana, ben = person(), person()
        people = knowing(ana, ben)
        readers = [ana.user(), ben.user()]

        def write(number):
            here = place()
            expected = crypto.Expectation(here, ana.user(), readers)
            for turn in range(20):
                text = f"{number} {turn}".encode()
                record = ana.seal_note(here, text, readers, people).record
                if ben.open_note(record, expected, people).plaintext() != text:
                    return "another text"
            return "all"

        works = [lambda number=number: write(number) for number in range(8)]
        self.assertEqual(together(*works), ["all"] * 8)

    def test_a_lock_takes_the_keys_from_under_a_thread(self):
        ana = person()
        begun = threading.Event()

        def write():
            while True:
                ana.seal_draft("note", b"text")
                begun.set()

        def lock():
            begun.wait(60)
            ana.lock()

        self.assertEqual(together(write, lock), ["locked", None])
        self.assertTrue(ana.is_locked())

    def test_a_file_is_finished_once(self):
        ana, here, nobody = person(), place(), crypto.People()
        for _ in range(20):
            file = ana.seal_file(here, 0, [], nobody)
            finish = lambda file=file: ana.finish_file(file) and "finished"  # noqa: E731
            self.assertEqual(sorted(together(finish, finish)), ["finished", "out-of-turn"])

    def test_two_devices_that_adopt_each_other_do_not_wait_forever(self):
        one, two = person(), person()

        def adopt(new, old):
            for _ in range(2_000):
                self.refused("altered", old.adopt, new, now_ms())

        self.assertEqual(together(lambda: adopt(one, two), lambda: adopt(two, one)), [None, None])


if __name__ == "__main__":
    unittest.main()
