// What the members of a hotline do in the panel, and what a lying server gets.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { bytes, knowing, load, person, text } from './load.mjs';

const { crypto } = await load('web');
const [ADMIN, VOLUNTEER] = [1, 2];
const HUB = '11'.repeat(16);
const refused = (code) => (error) => {
  assert.equal(error.code, code, error.message);
  return true;
};

function founded() {
  const admin = person(crypto);
  const roles = [new crypto.Role(ADMIN, true, false, 2n ** 63n), new crypto.Role(VOLUNTEER, false, false, 0n)];
  admin.createHub(HUB, roles, ADMIN, Date.now());
  assert.ok(admin.isHubKeyDue(HUB));
  const key = admin.newHubKey(HUB, undefined, new crypto.People(), Date.now());
  assert.ok(!admin.isHubKeyDue(HUB));
  return { admin, key };
}

test('a volunteer joins, reads settings, finds names, and leaves', () => {
  const { admin, key } = founded();
  const ben = person(crypto);
  const people = knowing(crypto, admin, ben);
  const server = admin.rosterLinksAfter(HUB, 0);
  assert.equal(server.length, admin.rosterSeqno(HUB));
  admin.addMember(HUB, ben.user, VOLUNTEER, people, Date.now());
  const settings = admin.sealSettings(HUB, bytes('{"name":"línea nocturna"}'), people, Date.now());
  const wrap = admin.wrapHubKey(HUB, ben.user, people);

  assert.throws(() => ben.followHubLinks(HUB, server, admin.rosterHead(HUB), people), refused('rollback'));
  const links = [...server, ...admin.rosterLinksAfter(HUB, server.length)];
  ben.followHubLinks(HUB, links, admin.rosterHead(HUB), people);
  assert.deepEqual(ben.roster(HUB), admin.roster(HUB));
  ben.openHubKey(HUB, wrap);
  ben.openSearchRoot(HUB, key.searchRoot);
  assert.equal(text(ben.openSettings(HUB, settings)), '{"name":"línea nocturna"}');
  assert.equal(ben.settingsRevision(HUB), 1);
  assert.deepEqual(ben.index(HUB, 'name', 'María  LÓPEZ'), admin.index(HUB, 'name', 'maría lópez'));
  assert.match(ben.index(HUB, 'phone', '+4930123456')[0], /^[0-9a-f]{32}$/);
  assert.deepEqual(ben.members(HUB).map(({ role }) => role).sort(), [ADMIN, VOLUNTEER]);
  assert.equal(ben.roles(HUB)[0].permissions, 2n ** 63n);
  assert.deepEqual(ben.readers(HUB, 'case', ben.user).sort(), [admin.user, ben.user].sort());
  assert.throws(() => ben.removeMember(HUB, admin.user, people, Date.now()), refused('not-allowed'));

  const before = admin.roster(HUB);
  admin.removeMember(HUB, ben.user, people, Date.now());
  assert.ok(admin.isHubKeyDue(HUB));
  const next = admin.newHubKey(HUB, settings, people, Date.now());
  assert.deepEqual(next.wraps().map(({ user }) => user), [admin.user]);
  ben.followHub(HUB, admin.roster(HUB), undefined, people);
  assert.throws(() => ben.openSettings(HUB, next.settings), refused('key-needed'));
  assert.throws(() => ben.openSettings(HUB, settings), refused('rollback'));
  assert.throws(() => ben.followHub(HUB, before, undefined, people), refused('rollback'));
  ben.lock();
  assert.throws(() => ben.members(HUB), refused('locked'));
});

test('a file is sealed and opened in pieces, and is whole only at its end', () => {
  const [ana, ben] = [person(crypto), person(crypto)];
  const people = knowing(crypto, ana, ben);
  const place = new crypto.Place('attachment', HUB, crypto.newRecordId());
  const file = Buffer.from(Uint8Array.from({ length: 60_000 }, (_, i) => i >> 3));
  const sealing = ana.sealFile(place, file.length, [ben.user], people);
  const body = [];
  for (let at = 0; at < file.length; at += 7_000) body.push(sealing.push(file.subarray(at, at + 7_000)));
  const sealed = ana.finishFile(sealing);
  body.push(sealed.end);
  const expected = new crypto.Expectation(place, ana.user, [ana.user, ben.user]);
  const open = (pieces) => {
    const opening = ben.openFile(sealed.front.record, expected, people);
    return Buffer.concat([...pieces.map((piece) => opening.push(piece)), opening.finish()]);
  };
  assert.ok(open(body).equals(file));
  assert.throws(() => open(body.slice(0, -1)), refused('altered'));
  body.at(-1)[0] ^= 1;
  assert.throws(() => open(body), refused('altered'));
});

test('a draft opens on its device under its name', () => {
  const ana = person(crypto);
  const draft = ana.sealDraft('note', bytes('half a sen'));
  assert.equal(text(ana.openDraft('note', draft)), 'half a sen');
  assert.throws(() => ana.openDraft('reply', draft), refused('altered'));
  assert.throws(() => person(crypto).openDraft('note', draft), refused('altered'));
});

test('backup codes are eight, and a mistyped one is noticed', () => {
  const ana = person(crypto);
  const sheet = ana.makeBackupCodes(Date.now());
  const codes = sheet.reveal();
  assert.equal(codes.length, 8);
  assert.equal(crypto.Session.backupProof(ana.user, codes[0].toLowerCase()).length, 32);
  const mistyped = codes[0].replace(/.$/, (last) => (last === '2' ? '3' : '2'));
  assert.throws(() => crypto.Session.backupProof(ana.user, mistyped), refused('mistyped'));
});

test('an invite is redeemed for this device', () => {
  const proof = person(crypto).redeemInvite('code', 'https://hotline.example');
  assert.equal(text(proof.subarray(0, 4)), 'HLIP');
  assert.equal(proof.length, 121);
});

test('who called, a voicemail and the key log come from the native build', () => {
  const ana = person(crypto);
  const hex = (bytes) => Buffer.from(bytes).toString('hex');
  const given = ['run', '-q', '--locked', '-p', 'crypto-session', '--example', 'native_peer', 'server', hex(ana.sigchain())];
  const server = JSON.parse(execFileSync('cargo', given).toString());
  const unhex = (name) => Buffer.from(server[name], 'hex');
  const people = knowing(crypto, ana);
  const key = new crypto.ServerKey(server.id, unhex('key'));
  const place = new crypto.Place('contact', HUB, '22'.repeat(16));
  const expected = crypto.Expectation.ofServer(place, key, [ana.user]);
  assert.equal(text(ana.openNote(unhex('caller'), expected, people).plaintext), '+4930123456');

  const heard = ana.openSignedVoicemail(unhex('voicemail'), unhex('header'), HUB, '22'.repeat(16), key);
  assert.ok(heard.isComplete);
  assert.equal(heard.sampleRate, 8000);
  const sound = Buffer.concat(Array.from({ length: heard.chunkCount }, (_, index) => heard.chunk(index)));
  assert.ok(sound.equals(Buffer.alloc(20_000, 7)));
  const elsewhere = () => ana.openSignedVoicemail(unhex('voicemail'), unhex('header'), HUB, '23'.repeat(16), key);
  assert.throws(elsewhere, refused('moved'));
  assert.throws(() => person(crypto).openVoicemail(unhex('voicemail')), refused('not-for-you'));

  const log = new crypto.LogFollower(server.log, [server.witness], 1);
  assert.ok(log.isWitnessed);
  assert.throws(() => new crypto.LogFollower(server.log, [], 0), refused('malformed'));
  const alone = crypto.LogFollower.unwitnessed(server.log);
  assert.ok(!alone.isWitnessed);
  alone.accept(server.checkpoint, new Uint8Array(), 0, 0);
  alone.download(unhex('entries'));
  alone.checkOwn(ana);
  assert.throws(() => log.checkOwn(ana), refused('key-needed'));
  const stored = log.accept(server.checkpoint, new Uint8Array(), server.now, 60);
  log.download(unhex('entries'));
  log.checkOwn(ana);
  log.checkPeople(people);
  assert.throws(() => log.checkPeople(knowing(crypto, person(crypto))), refused('unlogged'));
  ana.rotateKey(Date.now());
  assert.throws(() => log.checkOwn(ana), refused('withheld'));
  const later = new crypto.LogFollower(server.log, [server.witness], 1);
  later.resume(stored);
  assert.equal(later.size, 1);
  assert.throws(() => later.accept(stored, new Uint8Array(), server.now + 3_600_000, 60), refused('unconfirmed'));
});
