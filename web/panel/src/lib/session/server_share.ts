// The server's share of a vault.
import type { ShareAnswer } from '$lib/api';
import { fromBlob, toBlob } from '$lib/blob';
import { Failure } from '$lib/failure';
import { open } from './line';

/** Gets the share, against the proof that the PIN was entered. A wrong try counts. */
export async function serverShare(vault: string, proof: Uint8Array): Promise<Uint8Array> {
  const path = `/vaults/${vault}/share`;
  const asked = open<ShareAnswer>('POST', path, { auth: toBlob(proof) });
  const answer = await asked.catch((failure: Failure) => {
    if (failure.code !== 'not-found') throw failure;
    throw new Failure('taken-off', 'The server keeps nothing for this device.');
  });
  switch (answer.result) {
    case 'given':
      return fromBlob(answer.share);
    case 'wrong':
      throw new Failure('wrong-pin', 'The PIN is wrong.', { left: answer.left });
    case 'wait': {
      const seconds = Math.max(1, Math.ceil((answer.until_ms - Date.now()) / 1000));
      throw new Failure('wait', 'Too early after a wrong PIN.', { seconds });
    }
    case 'destroyed':
      throw new Failure('destroyed', 'Too many wrong tries.');
  }
}
