// Everything that the module gives out as bytes or as text, from the TypeScript
// that is built with it. Keys stay inside: whoever adds something here says
// whether it is secret by nature, and if so why it has to come out.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const built = join(process.env.CARGO_TARGET_DIR ?? 'target', 'crypto-wasm');

const SECRET = {
  'BackupSheet.reveal': 'codes for a person to write down; shown once',
  'RecoverySheet.reveal': 'the recovery key, for paper; shown once',
  'NewPairing.digits': 'for the screen, to be compared with the other device',
  'NewPairing.invitation': 'for the screen, to be scanned or typed',
  'NewPairing.room': 'names the room to the server; of a typed invitation it is the code',
  'OldPairing.room': 'names the room to the server; of a typed invitation it is the code',
  'NewVault.serverProof': 'goes to the server, which compares it',
  'NewVault.serverShare': 'the half of a vault that the server keeps',
  'Unlocking.serverProof': 'goes to the server, which gives its share for it',
  'Session.backupProof': 'goes to the server, which gives the escrow for it',
  'Session.prfInput': 'where a passkey is evaluated; worth nothing without the passkey',
  'VaultFacts.prfInput': 'where a passkey is evaluated; worth nothing without the passkey',
  'VaultFacts.id': 'names the vault to the server, which counts the tries at it',
  'OpenedNote.plaintext': 'what the person reads',
  'OpeningFile.push': 'what the person reads',
  'OpeningFile.finish': 'what the person reads',
  'Session.openDraft': 'what the person reads',
  'Session.openExport': 'what the person reads',
  'Session.openSettings': 'what the person reads',
  'Voicemail.chunk': 'what the person hears',
  'Session.inviteSecret': 'for the link that the person passes on, past the server',
  'Session.index': 'tags that the server finds a contact by',
};

// Sealed, signed, public, or a name. What stands alone is a function.
const PLAIN = {
  BackupSheet: 'device set',
  LockedView: 'proveRequest publicKey',
  LogFollower: 'accept',
  Member: 'user',
  MemberWrap: 'user wrap',
  NewHubKey: 'searchRoot settings',
  NewPairing: 'receive',
  NewVault: 'vault',
  OldPairing: 'admit first receiveShare',
  OpenedNote: 'rewrap',
  PasscodeChange: 'itemsKey sigchain',
  People: 'add',
  RecoverySheet: 'device escrow',
  SealedFile: 'end',
  SealedNote: 'front record',
  SealingFile: 'push',
  Session: 'answerLogin devices head proveRequest readers redeemInvite rosterHead rosterLinksAfter roster sealDraft sealExport sealSettings sealedItemsKey sigchain signErasure wrapHubKey device pinned user vouch',
  Voicemail: 'hub recording',
};
const FUNCTIONS = 'newHubId newRecordId';

// By class and name, whatever gives a type that can hold a key.
function given(declarations) {
  const found = [];
  let owner = '';
  for (const line of declarations.split('\n')) {
    owner = /^export class (\w+)/.exec(line)?.[1] ?? (line.startsWith('}') ? '' : owner);
    const member = owner ? /^ {4}(?:static )?(?:readonly )?(\w+)(?:\(.*\))?: (.*);$/ : /^export function (\w+)\(.*\): (.*);$/;
    const [, name, type] = member.exec(line) ?? [];
    if (name && /Uint8Array|string|any|object|ArrayBuffer/.test(type)) found.push(owner ? `${owner}.${name}` : name);
  }
  return found.filter((name) => !['init', 'initSync', '__wbg_init'].includes(name));
}

test('what the module gives out is known, and what is secret has a reason', () => {
  const plain = Object.entries(PLAIN).flatMap(([owner, names]) => names.split(' ').map((name) => `${owner}.${name}`));
  const known = [...Object.keys(SECRET), ...plain, ...FUNCTIONS.split(' ')];
  assert.equal(new Set(known).size, known.length, 'each is listed once');
  for (const build of ['web', 'test']) {
    const declarations = readFileSync(join(built, build, 'crypto_wasm.d.ts'), 'utf8');
    const found = given(declarations);
    assert.ok(found.length > 60, `${found.length}`);
    assert.deepEqual(found.filter((name) => !known.includes(name)), [], `${build}: is it a secret?`);
    assert.deepEqual(known.filter((name) => !found.includes(name)), [], `${build}: listed and gone`);
  }
});

test('a new method that gives out a key is found', () => {
  const declarations = 'export class Session {\n    /**\n     * It.\n     */\n    seed(): Uint8Array;\n    readonly puk: string | undefined;\n    lock(): void;\n}\nexport function key(of: string): Uint8Array;\n';
  assert.deepEqual(given(declarations), ['Session.seed', 'Session.puk', 'key']);
});
