// What a person does in the panel, from the first key to the last.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { bytes, knowing, load, person, text } from './load.mjs';

const { crypto } = await load('web');
const PIN = '493027';
const SHARE = new Uint8Array(32).fill(7);
// Sealed with PBKDF2 by vault_peer.py, under the code 111111 and the shares 07… and 09….
const OLD_VAULT = Buffer.from(
  '484c5654010103a46effed995f3f816687e00b9b6b1f1a19fef484276897747464ad5494e854d0ee4dcf' +
  '74cab835a390f7b7a3720b7979837e4738e1d2b172a4ef0e5743351a12cfd88afbb42f509f216ac85089' +
  '76fee7273a663a13241b43fe599d32ccc09e15fb4a0511603d559f357e17fabea153f69740cb3fe0e8716a',
  'hex',
);
// Of a key file that `centralita keygen` wrote.
const READER_KEY = 'hlpub1sxh63g93n6m6zqk9qw4yh0m8r4cy0xk9j9zsc0l7jfkex2qtc5cqg2vusj';
const native = (...given) =>
  execFileSync('cargo', ['run', '-q', '--locked', '-p', 'crypto-session', '--example', 'native_peer', ...given])
    .toString().trim();
const hex = (bytes) => Buffer.from(bytes).toString('hex');
const place = () => new crypto.Place('note', crypto.newHubId(), crypto.newRecordId());
const refused = (code) => (error) => {
  assert.ok(error instanceof Error);
  assert.equal(error.code, code);
  assert.match(error.message, /^\S.{10,}/);
  return true;
};

test('a note is read by the two that it was sealed to and by nobody else', () => {
  const [ana, ben, eve] = [person(crypto), person(crypto), person(crypto)];
  const people = knowing(crypto, ana, ben, eve);
  const here = place();
  const { record } = ana.sealNote(here, bytes('llamó dos veces'), [ana.user, ben.user], people);
  const expected = new crypto.Expectation(here, ana.user, [ana.user, ben.user]);
  for (const reader of [ana, ben]) {
    assert.equal(text(reader.openNote(record, expected, people).plaintext), 'llamó dos veces');
  }
  assert.throws(() => eve.openNote(record, expected, people), refused('not-for-you'));
  const elsewhere = new crypto.Expectation(place(), ana.user, [ana.user, ben.user]);
  assert.throws(() => ben.openNote(record, elsewhere, people), refused('moved'));
  record[record.length - 1] ^= 1;
  assert.throws(() => ben.openNote(record, expected, people), refused('altered'));
});

test('a reader is added, and the state before is not believed any more', () => {
  const [ana, ben, eve] = [person(crypto), person(crypto), person(crypto)];
  const people = knowing(crypto, ana, ben, eve);
  const here = place();
  const first = ana.sealNote(here, bytes('note'), [ben.user], people);
  const expected = new crypto.Expectation(here, ana.user, [ana.user, ben.user, eve.user]);
  const added = ana.addReader(first.record, expected, eve.user, people);
  assert.equal(text(eve.openNote(added.record, expected, people).plaintext), 'note');
  expected.seen(added.revision, added.manifest);
  assert.throws(() => ben.openNote(first.record, expected, people), refused('rollback'));
});

test('a locked session does nothing until the PIN is right', () => {
  const ana = person(crypto);
  const [user, device, chain] = [ana.user, ana.device, ana.sigchain()];
  const { vault } = ana.sealVault(PIN, SHARE, false);
  ana.lock();
  assert.ok(ana.isLocked);
  assert.throws(() => ana.sigchain(), refused('locked'));
  assert.throws(() => ana.proveRequest('GET', '/', bytes(''), bytes('t'), Date.now()), refused('locked'));
  const enter = (pin) => new crypto.Unlocking(vault, pin, SHARE).finish(undefined, user, device);
  assert.throws(() => enter('493028'), refused('wrong-code'));
  const again = enter(PIN);
  again.followSigchain(chain);
  assert.deepEqual(again.sigchain(), chain);
  assert.throws(() => again.sealVault('123456', SHARE, false), refused('weak-code'));
  assert.throws(() => again.sealVault(PIN, undefined, false), refused('share'));
});

test('what is taken away opens for its person alone, and for no tampered key', () => {
  const [ana, ben] = [person(crypto), person(crypto)];
  const hub = '01'.repeat(16);
  const file = ana.sealExport(hub, bytes('all of mine'), undefined, Date.now());
  assert.equal(text(ana.openExport(file)), 'all of mine');
  assert.throws(() => ben.openExport(file), refused('not-for-you'));
  const altered = file.slice();
  altered[altered.length - 1] ^= 1;
  assert.throws(() => ana.openExport(altered), refused('altered'));
  const offline = (key) => ana.sealExport(hub, bytes('all of mine'), key, Date.now());
  assert.throws(() => offline('hlpub1qqqq'), refused('mistyped'));
  // One reader more than the person's own devices.
  assert.ok(offline(READER_KEY).length > file.length);
  ana.lock();
  assert.throws(() => ana.openExport(file), refused('locked'));
});

test('the server gives its share for the proof of the code', () => {
  const ana = person(crypto);
  const sealed = ana.sealVault(PIN, SHARE, true);
  const right = new crypto.Unlocking(sealed.vault, PIN, SHARE);
  assert.deepEqual(right.serverProof(), sealed.serverProof);
  assert.equal(right.finish(sealed.serverShare, ana.user, ana.device).user, ana.user);
  const wrong = new crypto.Unlocking(sealed.vault, '493028', SHARE);
  assert.notDeepEqual(wrong.serverProof(), sealed.serverProof);
});

test('an old vault is sealed anew under the code that was typed', () => {
  const facts = new crypto.VaultFacts(OLD_VAULT);
  assert.ok(facts.isOutdated && facts.needsDevice && facts.needsServer && !facts.needsPrf);
  const server = new Uint8Array(32).fill(9);
  const unlocking = new crypto.Unlocking(OLD_VAULT, '111111', SHARE);
  assert.ok(unlocking.isOutdated);
  const { vault, serverShare, serverProof } = unlocking.reseal(server);
  assert.deepEqual(serverShare, server);
  const [user, device] = ['01'.repeat(16), '02'.repeat(16)];
  const draft = unlocking.finish(server, user, device).sealDraft('note', bytes('before'));
  const again = new crypto.Unlocking(vault, '111111', SHARE);
  assert.ok(!again.isOutdated && !new crypto.VaultFacts(vault).isOutdated);
  assert.equal(new crypto.VaultFacts(vault).id, facts.id);
  assert.deepEqual(again.serverProof(), serverProof);
  assert.throws(() => again.reseal(server), refused('out-of-turn'));
  assert.equal(text(again.finish(server, user, device).openDraft('note', draft)), 'before');
});

test('a new PIN is a new key, and what was read moves to it once', () => {
  const ana = person(crypto);
  const here = place();
  const nobody = new crypto.People();
  const { record } = ana.sealNote(here, bytes('mine'), [], nobody);
  const expected = new crypto.Expectation(here, ana.user, [ana.user]);
  assert.equal(ana.openNote(record, expected, nobody).rewrap, undefined);
  const fresh = new Uint8Array(32).fill(8);
  assert.throws(() => ana.changePasscode('123456', fresh, false, undefined, Date.now()), refused('weak-code'));
  const before = ana.sigchain();
  const changed = ana.changePasscode('480213', fresh, false, undefined, Date.now());
  assert.deepEqual(changed.sigchain, ana.sigchain());
  assert.ok(changed.sigchain.length > before.length);
  const { vault } = changed.takeVault();
  assert.equal(changed.takeVault(), undefined);
  const enter = (pin, share) => new crypto.Unlocking(vault, pin, share).finish(undefined, ana.user, ana.device);
  assert.throws(() => enter(PIN, fresh), refused('wrong-code'));
  assert.throws(() => enter('480213', SHARE), refused('wrong-code'));
  const again = enter('480213', fresh);
  again.followSigchain(changed.sigchain);
  again.openItemsKey(changed.itemsKey);

  assert.equal(ana.openNote(record, expected, nobody).rewrap, 'older');
  const moved = ana.rewrapNote(record, expected, nobody);
  assert.deepEqual(moved.front, moved.record.subarray(0, moved.front.length));
  expected.seen(moved.revision, moved.manifest);
  const opened = again.openNote(moved.record, expected, nobody);
  assert.equal(text(opened.plaintext), 'mine');
  assert.equal(opened.rewrap, undefined);
  assert.equal(ana.rewrapNote(moved.record, expected, nobody), undefined);
});

test('a second device comes in by digits, and reads what the first has sealed', () => {
  const { log, witness } = JSON.parse(native('server', hex(person(crypto).sigchain())));
  for (const typed of [false, true]) {
    const pinned = typed ? undefined : `${log}\n${witness}`;
    const old = person(crypto);
    const here = place();
    const nobody = new crypto.People();
    const { record } = old.sealNote(here, bytes('mine'), [], nobody);
    const coming = new crypto.NewPairing(crypto.Session.create(), typed);
    coming.namePerson(old.user);
    const helping = new crypto.OldPairing(old, coming.invitation(), typed);
    assert.deepEqual(helping.room(), coming.room());
    const reveal = helping.receiveShare(coming.receive(helping.first()));
    helping.receiveHello(coming.receive(reveal));
    assert.match(coming.digits(), /^\d{3} \d{3}$/);
    helping.confirm(coming.digits());
    const session = coming.finish(helping.admit(old, pinned, Date.now()));
    assert.equal(session.pinned, pinned);
    session.followSigchain(old.sigchain());
    session.openItemsKey(old.sealedItemsKey());
    const expected = new crypto.Expectation(here, old.user, [old.user]);
    assert.equal(text(session.openNote(record, expected, nobody).plaintext), 'mine');
  }
});

test('the recovery key brings a person back', () => {
  const lost = person(crypto);
  const sheet = lost.makeRecoveryKey(Date.now());
  assert.match(sheet.reveal(), /^([0-9A-Z]{4}[- ]){6}[0-9A-Z]{4}$/);
  const paper = crypto.Session.recover(lost.user, sheet.escrow, sheet.reveal().toLowerCase());
  assert.equal(paper.device, sheet.device);
  paper.followSigchain(lost.sigchain());
  const fresh = crypto.Session.create(lost.user);
  paper.adopt(fresh, Date.now());
  assert.deepEqual(fresh.sigchain(), paper.sigchain());
  const mistyped = sheet.reveal().replace(/.$/, (last) => (last === '2' ? '3' : '2'));
  assert.throws(() => crypto.Session.recover(lost.user, sheet.escrow, mistyped), refused('mistyped'));
});

test('what is no challenge, chain or id is refused with a sentence', () => {
  const ana = person(crypto);
  assert.throws(() => ana.answerLogin(bytes('x'), 'https://a.example', 0), refused('malformed'));
  assert.throws(() => ana.followSigchain(bytes('x')), refused('malformed'));
  assert.throws(() => new crypto.People().add('nobody', ana.sigchain()), refused('malformed'));
  assert.throws(() => new crypto.Place('song', crypto.newHubId(), crypto.newRecordId()), refused('malformed'));
});

test('notes go between this and the native build, both ways', () => {
  const ana = person(crypto);
  const peer = '09'.repeat(16);
  const people = new crypto.People();
  people.add(peer, Buffer.from(native('chain'), 'hex'));
  const here = new crypto.Place('note', '11'.repeat(16), '22'.repeat(16));
  const { record } = ana.sealNote(here, bytes('from the panel'), [peer], people);
  assert.equal(native('read', hex(ana.sigchain()), hex(record)), 'from the panel');
  const theirs = Buffer.from(native('write', hex(ana.sigchain()), 'from afar'), 'hex');
  const expected = new crypto.Expectation(here, peer, [peer, ana.user]);
  assert.equal(text(ana.openNote(theirs, expected, people).plaintext), 'from afar');
});
