"""Tags a caller number from the description in the documentation alone.

usage: caller_id_peer.py KEY_HEX NUMBER > hexadecimal tag
"""

import hmac
import sys

LABEL = b"hl/v1/hub/caller-id-hmac"


def main() -> None:
    key, number = bytes.fromhex(sys.argv[1]), sys.argv[2].encode()
    message = bytes([len(LABEL)]) + LABEL + bytes([len(number)]) + number
    print(hmac.digest(key, message, "sha256").hex())


main()
