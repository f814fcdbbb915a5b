"""An app's process: `device_app.py FOLDER WORK`, for the tests of the key store.

FOLDER is what the app keeps. Answers with one line of JSON.
"""

import json
import sys
from pathlib import Path

from people import PIN, crypto, now_ms, person

NEW_PIN = "846120"


def main(folder: Path, work: str) -> dict:
    vault, ids = folder / "vault", folder / "ids.json"
    store = crypto.DeviceStore()
    if work == "reach":
        return {"done": work}
    if work == "seal":
        ana, share = person(), crypto.DeviceShare()
        sealed = ana.seal_vault(PIN, share.reveal(), False, None).vault()
        store.keep(sealed, share)
        vault.write_bytes(sealed)
        ids.write_text(json.dumps([ana.user(), ana.device(), list(ana.sigchain())]))
        return {"done": work, "printed": f"{share} {share!r} {store!r}"}
    if work == "forget":
        store.forget(vault.read_bytes())
        store.forget(vault.read_bytes())
        return {"done": work}
    if work == "keep-needless":
        needless = person().seal_vault(PIN, None, True, None).vault()
        store.keep(needless, crypto.DeviceShare())

    old = vault.read_bytes()
    user, device, chain = json.loads(ids.read_text())
    pin = NEW_PIN if work == "unlock-new" else PIN
    share = store.share(old)
    ana = crypto.Unlocking(old, pin, share.reveal(), None).finish(None, user, device)
    if work.startswith("change"):
        ana.follow_sigchain(bytes(chain), None)
        fresh = crypto.DeviceShare()
        changed = ana.change_passcode(NEW_PIN, fresh.reveal(), False, None, now_ms()).vault()
        store.keep(changed.vault(), fresh)
        if work == "change-interrupted":
            return {"done": work}
        vault.write_bytes(changed.vault())
        store.forget(old)
    return {"done": work, "user": ana.user(), "locked": ana.is_locked()}


if __name__ == "__main__":
    try:
        answer = main(Path(sys.argv[1]), sys.argv[2])
    except crypto.Refusal as refusal:
        answer = {"refused": refusal.code, "sentence": refusal.sentence}
    print(json.dumps(answer))
