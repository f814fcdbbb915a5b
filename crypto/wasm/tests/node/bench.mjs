// What the panel waits for, beside the native build and beside another
// implementation (npm @hpke/core), all in one run:
// `node crypto/wasm/tests/node/bench.mjs` after scripts/build-wasm.
// CPU time of the whole process, the best of some batches: what else runs on
// the machine, and V8 while it still compiles, would be measured with the rest.
// Nothing here can fail for being slow.
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { bytes, knowing, load, person } from './load.mjs';

const NOTES = 10_000;
const ROUNDS = 300;
const BATCHES = 5;
const READERS = 8;
const HUB = '11'.repeat(16);
const ADMIN = 1;
const note = bytes('n'.repeat(2048));

// What the prototypes of the parts took, before there was this code, as the design lists it (section 1,
// "Timings"; native and WebAssembly with SIMD, on two cores with AES-NI, best of three). In microseconds.
const DESIGN = {
  'seal it for one reader more': { native: 58, wasm: 127, what: 'one HPKE wrap' },
  'open a wrap, by difference': { native: 47, wasm: 95, what: 'one HPKE wrap' },
  'verify and open a note of somebody else': { native: 124, what: 'time that went by' },
  'open all notes of others': { native: 0.49e6, wasm: 1.1e6, what: 'no signature checked' },
  "open all notes of one's own": { native: 0.023e6, wasm: 0.2e6, what: 'no signature checked' },
  'unlock a vault': { native: 108e3, wasm: 129e3, what: 'Argon2id alone' },
};
// The design's estimate for the notes of others in WebAssembly with two signatures each.
const DESIGN_VERIFIED = '3 s';

// Microseconds of CPU: of one round in the best of the batches, and of all rounds.
async function measured(rounds, work) {
  const each = rounds / BATCHES;
  const batches = [];
  for (let batch = 0; batch < BATCHES; batch++) batches.push(await spent(each, (round) => work(batch * each + round)));
  return { best: Math.min(...batches) / each, all: batches.reduce((sum, batch) => sum + batch) };
}

async function spent(rounds, work) {
  const start = process.cpuUsage();
  for (let round = 0; round < rounds; round++) await work(round);
  const { user, system } = process.cpuUsage(start);
  return user + system;
}

function native() {
  const output = execFileSync('cargo', ['bench', '-q', '--locked', '-p', 'crypto', '--bench', 'records']).toString();
  return Object.fromEntries([...output.matchAll(/^(.+): ([\d.]+) us$/gm)].map(([, what, us]) => [what, Number(us)]));
}

async function panel() {
  const { crypto, memory } = await load('web');
  const people = Array.from({ length: READERS }, () => person(crypto));
  const [ana, ben] = people;
  const share = new Uint8Array(32).fill(7);
  // Nothing of it has run before: this is what somebody waits for who has just loaded the page.
  let vault;
  const first = await spent(1, () => ({ vault } = ana.sealVault('493027', share, false)));
  const known = knowing(crypto, ...people);
  const seal = (readers) => {
    const place = new crypto.Place('note', crypto.newHubId(), crypto.newRecordId());
    const { record } = ana.sealNote(place, note, readers, known);
    return { record, expected: new crypto.Expectation(place, ana.user, [ana.user, ...readers]) };
  };
  const others = people.slice(1).map(({ user }) => user);
  const figures = {};
  // The author is a reader too, by a key of their own that costs next to nothing.
  const { best: one } = await measured(ROUNDS, () => seal(others.slice(0, 1)));
  const { best: all } = await measured(ROUNDS, () => seal(others));
  figures['seal a note for one reader'] = one;
  figures['seal it for one reader more'] = (all - one) / (others.length - 1);
  // All different, and sealed before.
  const notes = Array.from({ length: NOTES }, () => seal(others.slice(0, 1)));
  const open = (session) => measured(NOTES, (round) => {
    const { record, expected } = notes[round];
    session.openNote(record, expected, known).free();
  });
  const [theirs, own] = [await open(ben), await open(ana)];
  figures['verify and open a note of somebody else'] = theirs.best;
  figures["verify and open a note of one's own"] = own.best;
  figures['open a wrap, by difference'] = theirs.best - own.best;
  figures['open a hub key'] = await hubKey(crypto, ana);
  figures['open all notes of others'] = theirs.all;
  figures["open all notes of one's own"] = own.all;
  const unlocking = await measured(BATCHES, () =>
    new crypto.Unlocking(vault, '493027', share).finish(undefined, ana.user, ana.device).lock());
  figures['unlock a vault'] = unlocking.best;
  return { figures, first, memory: memory.buffer.byteLength };
}

// The only operation that opens one wrap and nothing else that is sealed.
async function hubKey(crypto, admin) {
  admin.createHub(HUB, [new crypto.Role(ADMIN, true, false, 0n)], ADMIN, Date.now());
  const nobody = new crypto.People();
  admin.newHubKey(HUB, undefined, nobody, Date.now());
  const wrap = admin.wrapHubKey(HUB, admin.user, nobody);
  return (await measured(ROUNDS, () => admin.openHubKey(HUB, wrap))).best;
}

// One wrap of a key: what each further reader costs, and part of each opening.
async function other() {
  const require = createRequire(new URL('../../../tests/node/package.json', import.meta.url));
  const { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } =
    await import(pathToFileURL(require.resolve('@hpke/core')));
  const suite = new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });
  const pair = await suite.kem.generateKeyPair();
  const info = new Uint8Array(100);
  const key = new Uint8Array(32);
  const seal = () => suite.seal({ recipientPublicKey: pair.publicKey, info }, key);
  const { enc, ct } = await seal();
  return {
    seal: (await measured(ROUNDS, seal)).best,
    open: (await measured(ROUNDS, () => suite.open({ recipientKey: pair.privateKey, enc, info }, ct))).best,
  };
}

const [here, there, { figures, first, memory }] = [await other(), native(), await panel()];
const row = (...cells) => console.log(`| ${cells.join(' | ')} |`);
const time = (us) =>
  us === undefined ? '-' : us < 1e4 ? `${us.toFixed(0)} us` : us < 1e6 ? `${(us / 1e3).toFixed(0)} ms` : `${(us / 1e6).toFixed(2)} s`;
row('CPU time', 'native', 'WebAssembly', 'ratio', 'design: native', 'WebAssembly', 'of');
row(...Array(7).fill('---'));
for (const [what, us] of Object.entries(figures)) {
  const { native, wasm, what: of } = DESIGN[what] ?? {};
  row(what, time(there[what]), time(us), (us / there[what]).toFixed(1), time(native), time(wasm), of ?? '-');
}
console.log(`\nAll notes are ${NOTES} different ones of 2 KiB. The design expected ${DESIGN_VERIFIED} for those of others in WebAssembly.`);
console.log('A wrap is opened with each note of somebody else and not with one\'s own, which has a box of its own key: the difference is a little less than the wrap.');
console.log('A hub key is a wrap too; its reader\'s key is derived before and its commitment after: it is more than the wrap.\n');
row('One HPKE wrap', '@hpke/core', 'ours, native', 'to theirs', 'ours, WebAssembly', 'to theirs');
row(...Array(6).fill('---'));
const beside = (how, theirs, what) =>
  row(how, time(theirs), time(there[what]), (there[what] / theirs).toFixed(2), time(figures[what]), (figures[what] / theirs).toFixed(2));
beside('sealed (a reader more)', here.seal, 'seal it for one reader more');
beside('opened (by difference)', here.open, 'open a wrap, by difference');
beside('opened (a hub key)', here.open, 'open a hub key');
console.log(`\nThe first derivation of a vault's key after loading: ${time(first)}.`);
console.log(`Memory of the module after the run: ${(memory / 2 ** 20).toFixed(0)} MiB.`);
