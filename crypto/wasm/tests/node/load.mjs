// What the tests share: the module as a browser gets it, and a person in it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const built = join(process.env.CARGO_TARGET_DIR ?? 'target', 'crypto-wasm');

// A fresh instance each time: `build` is `web`, or `test` with randomness that
// a test can compute. Nothing is shared, as between two workers.
export async function load(build) {
  const script = pathToFileURL(join(built, build, 'crypto_wasm.js'));
  const crypto = await import(`${script}?instance=${Math.random()}`);
  const { memory } = crypto.initSync({ module: readFileSync(join(built, build, 'crypto_wasm_bg.wasm')) });
  return { crypto, memory };
}

export function person(crypto) {
  const session = crypto.Session.create();
  session.beginSigchain(Date.now());
  return session;
}

export function knowing(crypto, ...sessions) {
  const people = new crypto.People();
  for (const session of sessions) people.add(session.user, session.sigchain());
  return people;
}

export const bytes = (text) => new TextEncoder().encode(text);
export const text = (bytes) => new TextDecoder().decode(bytes);
