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
const DISTINCT = 500;
const ROUNDS = 300;
const BATCHES = 5;
const READERS = 8;
const note = bytes('n'.repeat(2048));

// Microseconds of CPU for one round, in the best of the batches.
async function measured(rounds, work) {
  let best = Infinity;
  for (let batch = 0; batch < BATCHES; batch++) best = Math.min(best, await spent(rounds / BATCHES, work));
  return best;
}

async function spent(rounds, work) {
  const start = process.cpuUsage();
  for (let round = 0; round < rounds; round++) await work(round);
  const { user, system } = process.cpuUsage(start);
  return (user + system) / rounds;
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
  const one = await measured(ROUNDS, () => seal(others.slice(0, 1)));
  const all = await measured(ROUNDS, () => seal(others));
  figures['seal a note for one reader'] = one;
  figures['seal it for one reader more'] = (all - one) / (others.length - 1);
  const notes = Array.from({ length: DISTINCT }, () => seal(others.slice(0, 1)));
  const open = (session) => (round) => {
    const { record, expected } = notes[round % DISTINCT];
    session.openNote(record, expected, known).free();
  };
  figures['verify and open a note of somebody else'] = await measured(NOTES, open(ben));
  figures["verify and open a note of one's own"] = await measured(NOTES, open(ana));
  figures['unlock a vault'] = await measured(BATCHES, () =>
    new crypto.Unlocking(vault, '493027', share).finish(undefined, ana.user, ana.device).lock());
  return { figures, first, memory: memory.buffer.byteLength };
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
    seal: await measured(ROUNDS, seal),
    open: await measured(ROUNDS, () => suite.open({ recipientKey: pair.privateKey, enc, info }, ct)),
  };
}

const [here, there, { figures, first, memory }] = [await other(), native(), await panel()];
const row = (...cells) => console.log(`| ${cells.join(' | ')} |`);
row('CPU time', 'native', 'WebAssembly', 'ratio');
row('---', '---', '---', '---');
for (const [what, us] of Object.entries(figures)) {
  row(what, `${there[what].toFixed(0)} us`, `${us.toFixed(0)} us`, (us / there[what]).toFixed(1));
}
const opened = 'verify and open a note of somebody else';
const all = (us) => `${((us * NOTES) / 1e6).toFixed(2)} s`;
row(`${NOTES} notes of others`, all(there[opened]), all(figures[opened]), (figures[opened] / there[opened]).toFixed(1));
const further = 'seal it for one reader more';
console.log(`\n@hpke/core: one wrap ${here.seal.toFixed(0)} us, opened ${here.open.toFixed(0)} us.`);
console.log(`A reader more, to one of its wraps: native ${(there[further] / here.seal).toFixed(2)}, WebAssembly ${(figures[further] / here.seal).toFixed(2)}.`);
console.log(`The first derivation of a vault's key after loading: ${(first / 1000).toFixed(0)} ms.`);
console.log(`Memory of the module after the run: ${(memory / 2 ** 20).toFixed(0)} MiB.`);
