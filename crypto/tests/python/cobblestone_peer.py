"""Seals or opens a Cobblestone-256 message with PyPI `cryptography`.

usage: cobblestone_peer.py seal|open KEY_HEX CONTEXT_HEX < input > output
"""

import sys

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor


def main() -> None:
    action, key, context = sys.argv[1:]
    kind = {"seal": Cobblestone256Encryptor, "open": Cobblestone256Decryptor}[action]
    worker = kind(bytes.fromhex(key), bytes.fromhex(context))
    output = worker.update(sys.stdin.buffer.read()) + worker.finalize()
    sys.stdout.buffer.write(output)


main()
