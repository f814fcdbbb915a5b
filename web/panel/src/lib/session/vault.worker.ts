// The worker with the keys. The page ends it when the device locks: with it goes all its memory.
import type { PasskeyAttempt, PasskeyRegistration } from '$lib/api';
import { Failure } from '$lib/failure';
import { Client, Newcomer, type Person } from './client';
import { lookAhead, pinnedBy } from './entry';
import { Replacement } from './recovery';
import { Feed } from './feed';
import { Hubs } from './hubs';
import { Helping, NewDevice } from './pairing';
import { sealText } from './profile';
import type { VaultCalls } from './protocol';
import { serve, tellHeard, tellTokens } from './serving';

let newcomer: Newcomer | undefined;
let client: Client | undefined;
let hubsOf: Hubs | undefined;
let coming: NewDevice | undefined;
let helping: Helping | undefined;
let replacement: Replacement | undefined;

function there<T>(thing: T | undefined): T {
  if (thing) return thing;
  throw new Failure('out-of-turn', 'This is not the time for that. Start again.');
}

function isIn(who: Client): Promise<Person> {
  client = who;
  const hubs = new Hubs(who);
  hubsOf = hubs;
  new Feed(who.line, (heard) => {
    who.handleChange();
    hubs.handleChange();
    tellHeard(heard);
  });
  return who.person();
}

/** One after the other: each loads a hub anew, and none may find another's half. */
let lastOfHubs: Promise<unknown> = Promise.resolve();
function inTurn<T>(what: (hubs: Hubs) => Promise<T>): Promise<T> {
  const run = () => what(there(hubsOf));
  const turn = lastOfHubs.then(run, run);
  lastOfHubs = turn;
  return turn;
}

serve<VaultCalls>({
  lookAhead,
  async prepare(pin, entry) {
    newcomer = await Newcomer.create(pin, pinnedBy(entry));
    return newcomer.paper;
  },
  async enter(entry, name, pin) {
    return isIn(await there(newcomer).enter(entry, name, pin, tellTokens));
  },
  async unlock(pin, tokens) {
    return isIn(await Client.unlock(pin, tokens, tellTokens));
  },
  async unlockByPasskey(secret, tokens) {
    return isIn(await Client.unlockByPasskey(secret, tokens, tellTokens));
  },
  async recover(found, pin) {
    return isIn(await Client.recover(found, pin, tellTokens));
  },
  async openRoom(typed) {
    coming = await NewDevice.open(typed);
    return coming.invitation;
  },
  roomDigits: () => there(coming).digits(),
  async enterRoom(pin) {
    return isIn(await there(coming).enter(pin, tellTokens));
  },
  async joinRoom(text, typed) {
    helping = await Helping.join(there(client), text, typed);
  },
  async letIn(digits) {
    const once = there(helping);
    helping = undefined;
    await once.letIn(digits);
  },
  pinned: () => there(client).pinned,
  addWitness: (key) => there(client).addWitness(key),
  changePin: (pin) => there(client).changePin(pin),
  devices: () => there(client).devices(),
  takeOff: (device) => there(client).takeOff(device),
  prepareRecoveryKey() {
    replacement = new Replacement(there(client));
    return replacement.paper;
  },
  async replaceRecoveryKey() {
    await there(replacement).putInForce();
    replacement = undefined;
  },
  passkeyInput: () => there(client).session.prfInput(),
  beginPasskey: () => there(client).line.ask<PasskeyAttempt>('POST', '/me/passkeys/begin'),
  async keepPasskey(attempt, credential, name) {
    const { line, session } = there(client);
    const sealed = sealText(session, name);
    const request: PasskeyRegistration = { attempt, credential, name: sealed, of_device: false };
    await line.ask('POST', '/me/passkeys', request);
  },
  openByPasskey: (credential, input, secret) =>
    there(client).openByPasskey(credential, input, secret),
  closeToPasskeys: () => there(client).closeToPasskeys(),
  nameViewKey: (key) => there(client).nameViewKey(key),
  beginHub: (hub) => inTurn((hubs) => hubs.begin(hub)),
  invite: (hub, role) => inTurn((hubs) => hubs.invite(hub, role)),
  join: (invitation) => there(client).join(invitation),
  waiting: (hub) => inTurn((hubs) => hubs.waiting(hub)),
  members: (hub) => inTurn((hubs) => hubs.members(hub)),
  removeMember: (hub, user) => inTurn((hubs) => hubs.remove(hub, user)),
  shareName: () => inTurn((hubs) => hubs.shareName()),
  admit: (hub, user, role) => inTurn((hubs) => hubs.admit(hub, user, role)),
  get: (path) => there(client).line.ask('GET', path),
  remove: (path) => there(client).line.ask('DELETE', path),
  logout: () => there(client).line.ask('POST', '/session/logout'),
});
