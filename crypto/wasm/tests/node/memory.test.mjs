// What stays in memory. The build under test differs in its randomness only,
// which is known here, so that every secret can be searched for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytes, knowing, load, person, text } from './load.mjs';

const PIN = '493027';
const SHARE = Uint8Array.from({ length: 32 }, (_, place) => place * 5 + 3);
const NOTE = 'a sentence that stands nowhere else in memory';
const NAME = 'Anastasia Wintergruen';
const HUB = '11'.repeat(16);
const ADMIN = 1;
// More than a session of this test asks for.
const FILLS = 40;

// Fill number `n` of the module's randomness, as in src/testing.rs.
function fill(n, length) {
  const out = new Uint8Array(length);
  let state = Math.imul(n, 0x9e3779b9) | 1;
  for (let place = 0; place < length; place++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    out[place] = state >>> 24;
  }
  return out;
}

// The bytes of a code in Crockford's Base32, without the check characters.
function decoded(text, length) {
  const bits = [...text.replaceAll('-', '')].map((letter) => '0123456789ABCDEFGHJKMNPQRSTVWXYZ'.indexOf(letter))
    .map((value) => value.toString(2).padStart(5, '0')).join('');
  return Uint8Array.from({ length }, (_, place) => Number.parseInt(bits.slice(8 * place, 8 * place + 8), 2));
}

const found = (memory, needle) => Buffer.from(memory.buffer).includes(needle);
// Which fills lie in memory. Ids have 16 bytes and may stay; what is as long as a key may not.
function keysIn(memory) {
  const numbers = Array.from({ length: FILLS }, (_, place) => place + 1);
  return numbers.filter((n) => found(memory, fill(n, 32).subarray(16)));
}

test('after the lock neither PIN nor key nor text is in memory', async () => {
  const { crypto, memory } = await load('test');
  const ana = crypto.Session.createFixed();
  ana.beginSigchain(1_763_690_000_000);
  const ben = person(crypto);
  const people = knowing(crypto, ana, ben);
  const [user, device] = [ana.user, ana.device];
  const sealed = ana.sealVault(PIN, SHARE, false);
  const vault = sealed.vault;
  // It holds the vault's salt, which is as long as a key.
  sealed.free();
  const here = new crypto.Place('note', crypto.newHubId(), crypto.newRecordId());
  const { record } = ana.sealNote(here, bytes(NOTE), [ben.user], people);
  const expected = new crypto.Expectation(here, ana.user, [ana.user, ben.user]);
  const opened = ana.openNote(record, expected, people);
  assert.equal(text(opened.plaintext), NOTE);

  // The note's own key was made right before the salt that its body begins with.
  const numbers = Array.from({ length: FILLS }, (_, place) => place + 1);
  const salt = numbers.find((n) => Buffer.from(record).includes(fill(n, 24)));
  assert.ok(salt > 4);
  assert.ok(!keysIn(memory).includes(salt - 1));

  // The search finds what is there: the device's seed is fill 4.
  assert.ok(keysIn(memory).includes(4));
  assert.ok(found(memory, bytes(NOTE)));
  // A code and a note's own key are wiped at once, not only at the lock.
  assert.ok(!found(memory, bytes(PIN)));

  opened.free();
  ana.lock();
  assert.deepEqual(keysIn(memory), []);
  assert.ok(!found(memory, bytes(PIN)));
  assert.ok(!found(memory, bytes(NOTE)));
  assert.ok(!found(memory, SHARE));

  // And once more, from the vault; a wrong PIN leaves nothing either.
  const enter = (pin) => new crypto.Unlocking(vault, pin, SHARE).finish(undefined, user, device);
  assert.throws(() => enter('580713'), { code: 'wrong-code' });
  const again = enter(PIN);
  assert.ok(keysIn(memory).includes(4));
  again.lock();
  assert.deepEqual(keysIn(memory), []);
  for (const secret of [bytes(PIN), bytes('580713'), SHARE]) assert.ok(!found(memory, secret));
});

test('after the lock nothing that the members of a hub share is in memory', async () => {
  const { crypto, memory } = await load('test');
  const ana = crypto.Session.createFixed();
  ana.beginSigchain(1_763_690_000_000);
  const nobody = new crypto.People();
  ana.createHub(HUB, [new crypto.Role(ADMIN, true, false, 0n)], ADMIN, 1_763_690_000_001);
  const before = keysIn(memory);
  const made = ana.newHubKey(HUB, undefined, nobody, 1_763_690_000_002);
  const keys = keysIn(memory).filter((n) => !before.includes(n));
  // The hub key and the search root.
  assert.equal(keys.length, 2);
  const sealed = ana.sealSettings(HUB, bytes(NOTE), nobody, 1_763_690_000_003);
  assert.equal(text(ana.openSettings(HUB, sealed)), NOTE);
  ana.openHubKey(HUB, ana.wrapHubKey(HUB, ana.user, nobody));
  ana.openSearchRoot(HUB, made.searchRoot);
  ana.index(HUB, 'name', NAME);
  made.free();
  ana.lock();
  assert.deepEqual(keysIn(memory), []);
  for (const secret of [NOTE, NAME, NAME.toLowerCase()]) assert.ok(!found(memory, bytes(secret)), secret);
});

test('a recovery key leaves neither its text nor its bytes in memory', async () => {
  const { crypto, memory } = await load('test');
  const ana = crypto.Session.createFixed();
  ana.beginSigchain(1_763_690_000_000);
  const user = ana.user;
  const sheet = ana.makeRecoveryKey(1_763_690_000_001);
  const key = sheet.reveal();
  const secrets = [bytes(key), bytes(key.replaceAll('-', '')), decoded(key, 16)];
  // It is one of the numbers that were made.
  assert.ok(Array.from({ length: FILLS }, (_, place) => place + 1)
    .some((n) => Buffer.from(fill(n, 16)).equals(Buffer.from(secrets[2]))));
  const escrow = sheet.escrow;
  sheet.free();
  ana.lock();
  assert.deepEqual(keysIn(memory), []);
  for (const secret of secrets) assert.ok(!found(memory, secret));
  const paper = crypto.Session.recover(user, escrow, key);
  // The seed of the paper's device, which the escrow held.
  assert.equal(keysIn(memory).length, 1);
  paper.lock();
  assert.deepEqual(keysIn(memory), []);
  for (const secret of secrets) assert.ok(!found(memory, secret));
});

test('a pairing leaves nothing of its invitation and its keys in memory', async () => {
  const { crypto, memory } = await load('test');
  const old = person(crypto);
  const fresh = crypto.Session.createFixed();
  const before = keysIn(memory);
  const coming = new crypto.NewPairing(fresh, false);
  // Its private key; its nonce is told, and has the length of a key.
  assert.equal(keysIn(memory).filter((n) => !before.includes(n)).length, 2);
  coming.namePerson(old.user);
  const invitation = coming.invitation();
  const secret = decoded(invitation, 69).subarray(53);
  assert.ok(found(memory, secret) && found(memory, bytes(invitation)));
  const helping = new crypto.OldPairing(old, invitation, false);
  const reveal = helping.receiveShare(coming.receive(helping.first()));
  helping.receiveHello(coming.receive(reveal));
  helping.confirm(coming.digits());
  const session = coming.finish(helping.admit(old, undefined, Date.now()));
  session.followSigchain(old.sigchain());
  session.lock();
  old.lock();
  assert.deepEqual(keysIn(memory), []);
  for (const told of [secret, bytes(invitation)]) assert.ok(!found(memory, told));
});
