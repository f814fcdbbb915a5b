// What the panel waits for: `node crypto/wasm/tests/node/bench.mjs` after scripts/build-wasm.
import { bytes, knowing, load, person } from './load.mjs';

const NOTES = 1000;
const { crypto, memory } = await load('web');
const share = new Uint8Array(32).fill(7);

function timed(what, work) {
  const start = performance.now();
  const result = work();
  console.log(`${what}: ${(performance.now() - start).toFixed(0)} ms`);
  return result;
}

const [ana, ben] = [person(crypto), person(crypto)];
const people = knowing(crypto, ana, ben);
const readers = [ana.user, ben.user];
const { vault } = timed('seal a vault', () => ana.sealVault('493027', share, false));
for (const round of ['first', 'second', 'third']) {
  timed(`unlock a vault, ${round} time`, () =>
    new crypto.Unlocking(vault, '493027', share).finish(undefined, ana.user, ana.device));
}
const note = bytes('n'.repeat(2048));
const notes = timed(`seal ${NOTES} notes of 2 KiB for two`, () =>
  Array.from({ length: NOTES }, () => {
    const place = new crypto.Place('note', crypto.newHubId(), crypto.newRecordId());
    const { record } = ana.sealNote(place, note, readers, people);
    return { record, expected: new crypto.Expectation(place, ana.user, readers) };
  }));
const open = (session) => () => {
  for (const { record, expected } of notes) session.openNote(record, expected, people).free();
};
timed(`open ${NOTES} notes, own items key`, open(ana));
timed(`open ${NOTES} notes, another's HPKE wrap`, open(ben));
console.log(`memory: ${(memory.buffer.byteLength / 2 ** 20).toFixed(0)} MiB`);
