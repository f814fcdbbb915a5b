// A person at their device: how they come in, unlock it, and log in. Lives in a worker; the keys
// live in the WebAssembly below it, and the worker is ended when the device locks.
import {
  type LogFollower,
  type NewVault,
  type RecoverySheet,
  Session,
  Unlocking,
  VaultFacts,
} from '$crypto';
import type {
  BootstrapRequest,
  ChallengeAnswer,
  EscrowAnswer,
  InviteRedemption,
  InviteUse,
  ItemsKeys,
  Me,
  PersonSigchain,
  ShareProposal,
  SigchainUpdate,
  Tokens,
  Welcome,
} from '$lib/api';
import { type Backup, writeBackup } from '$lib/backup';
import { fromBlob, toBlob } from '$lib/blob';
import { newShareKey, shareOf } from '$lib/device/share';
import { nothingSeen, type Seen } from '$lib/device/seen';
import * as kept from '$lib/device/store';
import { Failure, failureOf } from '$lib/failure';
import { readPinned, withWitness, writePinned } from '$lib/pinned';
import { type Entry, type Invitation, offerOf, serverItself } from './entry';
import { Line, open, type TokensChanged } from './line';
import { checkLog } from './log';
import { openProfile, sealProfile } from './profile';
import { Recent } from './recent';
import { serverShare } from './server_share';

/** What a person keeps for the day on which their devices are gone. */
export interface Paper {
  /** To be written down. */
  recoveryKey: string;
  /** The file that goes with it. */
  backup: string;
  user: string;
}

/** What a person has who comes back. */
export interface Recovery {
  user: string;
  recoveryKey: string;
  /** The file that goes with it, where they have that too. */
  backup: Backup | undefined;
  /** Whether all other devices of theirs were lost or taken. */
  othersLost: boolean;
}

/** What the browser shows of who is in. */
export interface Person {
  me: Me;
  /** What they call themselves; nothing where that does not open. */
  name: string | undefined;
  /** Whether somebody beside the server confirms the key log. */
  witnessed: boolean;
}

/** A person who has keys, and whom no server knows yet. */
export class Newcomer {
  private constructor(
    private readonly session: Session,
    private readonly sheet: RecoverySheet,
    private readonly vault: FirstVault,
    private readonly pinned: string,
  ) {}

  /** `pinned` is what the link says that the server is known by; a code has only its own word. */
  static async create(pin: string, pinned: string | undefined): Promise<Newcomer> {
    const session = Session.create();
    // First: a PIN that is too weak is told of before anybody writes down a recovery key.
    const vault = await firstVault(session, pin);
    session.beginSigchain(Date.now());
    const sheet = session.makeRecoveryKey(Date.now());
    return new Newcomer(session, sheet, vault, pinned ?? (await serverItself()));
  }

  get paper(): Paper {
    return paperOf(this.session.user, this.sheet, this.pinned);
  }

  /** Asks to be let in. Only then is anything kept. */
  async enter(entry: Entry, name: string, pin: string, changed: TokensChanged): Promise<Client> {
    const { session } = this;
    await nobodyHere();
    const known = {
      sigchain: toBlob(session.sigchain()),
      recovery_escrow: toBlob(this.sheet.escrow),
      profile: sealProfile(session, name),
    };
    const proof = (code: string) => toBlob(session.redeemInvite(code, self.location.origin));
    const rosters: Seen['rosters'] = {};
    let welcome: Welcome;
    if (entry.by === 'bootstrap') {
      const { code } = entry;
      const request: BootstrapRequest = { ...known, code, proof: proof(code) };
      welcome = await open('POST', '/bootstrap', request);
    } else {
      const { hub, rosterHead, secret } = entry.invitation;
      const { code } = await offerOf(entry.invitation);
      const voucher = toBlob(session.vouch(secret));
      const request: InviteRedemption = { ...known, code, proof: proof(code), voucher };
      welcome = await open('POST', '/invites/redeem', request);
      rosters[hub] = fromBlob(rosterHead);
    }
    if (welcome.user !== session.user) {
      throw new Failure('lie', 'The server welcomes another person than the one who came.');
    }
    return settle(session, this.vault, this.pinned, pin, changed, { rosters });
  }
}

/** A recovery key for the person's eyes, and the file, which is sealed under it. */
export function paperOf(user: string, sheet: RecoverySheet, pinned: string): Paper {
  const backup = writeBackup(self.location.origin, { user, escrow: toBlob(sheet.escrow), pinned });
  return { user, recoveryKey: sheet.reveal(), backup };
}

/** A person at their unlocked device. */
export class Client {
  private unsent: SigchainUpdate | undefined;
  /** Whether a change of the list was made here that the server refused. */
  private alone = false;
  /** This person's own list, as it was last loaded. */
  private readonly own = new Recent<number>();

  constructor(
    readonly session: Session,
    readonly line: Line,
    private record: kept.DeviceRecord,
    readonly seen: Seen,
    private witnessed = false,
  ) {}

  /** Unlocks the device that this browser keeps, and goes on with `tokens` or logs in. */
  static async unlock(
    pin: string,
    tokens: Tokens | undefined,
    changed: TokensChanged,
  ): Promise<Client> {
    const record = await deviceHere();
    const share = await shareOf(record.shareKey);
    const unlocking = new Unlocking(record.vault, pin, share);
    const server = record.serverShare
      ? await serverShare(new VaultFacts(record.vault).id, unlocking.serverProof())
      : undefined;
    const session = unlocking.finish(server, record.user, record.device);
    const client = await this.goOn(session, record, tokens, changed);
    // It was cut off while it came in: without a share at the server, nobody counts wrong PINs.
    if (!record.serverShare) await client.shareWithServer(pin);
    return client;
  }

  /** The same, with what a passkey gave. */
  static async unlockByPasskey(
    secret: Uint8Array,
    tokens: Tokens | undefined,
    changed: TokensChanged,
  ): Promise<Client> {
    const record = await deviceHere();
    if (!record.passkey) throw new Failure('no-passkey', 'No passkey opens this device.');
    const { vault, shareKey } = record.passkey;
    const unlocking = new Unlocking(vault, toBlob(secret), await shareOf(shareKey));
    const session = unlocking.finish(undefined, record.user, record.device);
    return this.goOn(session, record, tokens, changed);
  }

  private static async goOn(
    session: Session,
    record: kept.DeviceRecord,
    tokens: Tokens | undefined,
    changed: TokensChanged,
  ): Promise<Client> {
    const line = (login: Tokens) => new Line(session, login, changed);
    const seen = await kept.seen();
    if (tokens) {
      try {
        const client = new Client(session, line(tokens), record, seen);
        await client.resume();
        return client;
      } catch (error) {
        // Idle for too long, ended elsewhere, or expired: a new login says what is really wrong.
        if (!(error instanceof Failure)) throw error;
      }
    }
    const client = new Client(session, line(await login(session, changed)), record, seen);
    await client.resume();
    return client;
  }

  /** Comes back with what is on paper, as a new device. */
  static async recover(found: Recovery, pin: string, changed: TokensChanged): Promise<Client> {
    const { user, recoveryKey, backup } = found;
    await nobodyHere();
    const asked =
      backup?.escrow ?? (await open<EscrowAnswer>('POST', '/recovery/escrow', { user })).escrow;
    const pinned = backup?.pinned ?? (await serverItself());
    const paper = Session.recover(user, fromBlob(asked), recoveryKey);
    const session = Session.create(user);
    const vault = await firstVault(session, pin);
    const line = new Line(paper, await login(paper, () => {}), () => {});
    try {
      const own = await line.ask<PersonSigchain>('GET', '/me/sigchain');
      paper.followSigchain(fromBlob(own.sigchain));
      // An older list would have a device on it that was taken off: the new key is not for that one.
      await checkLog(line, paper, readPinned(pinned), undefined);
      const others = paper.devices().filter((device) => device !== paper.device);
      paper.adopt(session, Date.now());
      for (const device of found.othersLost ? others : []) paper.revokeDevice(device, Date.now());
      paper.rotateKey(Date.now());
      const update: SigchainUpdate = {
        sigchain: toBlob(paper.sigchain()),
        items_key: toBlob(paper.sealedItemsKey()),
      };
      await line.ask('PUT', '/me/sigchain', update);
    } finally {
      // The login ends by itself as well.
      await line.ask('POST', '/session/logout').catch(() => undefined);
      paper.lock();
    }
    return settle(session, vault, pinned, pin, changed);
  }

  /** Loads and verifies this person's own keys. */
  async resume(): Promise<void> {
    const keys = await this.catchUp();
    await this.checkLog();
    // A browser that ended in the very moment of coming in has left none.
    if (keys === 0) await this.renewKey();
  }

  /**
   * Learns what this person's other devices have changed; gives how many items keys there are.
   * Goes before each change of the device list: one that continues an older list is refused.
   */
  catchUp(): Promise<number> {
    return this.own.set(Date.now(), this.loadOwn());
  }

  /** The same, for who only looks: what was just learnt is good. */
  keepUp(): Promise<number> {
    return this.own.get(Date.now(), () => this.loadOwn());
  }

  /** The server has told of a change, or this device has made one. */
  handleChange(): void {
    this.own.end();
  }

  private async loadOwn(): Promise<number> {
    if (this.unsent) await this.sendAgain(this.unsent);
    // What this device's other windows have seen and were told counts here, too.
    await this.keep((record) => record);
    await this.keepSeen();
    const own = await this.line.ask<PersonSigchain>('GET', '/me/sigchain');
    if (own.user !== this.record.user) {
      throw new Failure('lie', 'The server gives the device list of somebody else.');
    }
    try {
      this.session.followSigchain(fromBlob(own.sigchain), this.seen.head);
    } catch (thrown) {
      // No lie of the server: this device went on alone. Unlocked again, it begins from the list.
      if (this.alone) throw new Failure('login-needed', 'Another device was faster.');
      throw thrown;
    }
    await this.keepHead();
    const sealedKeys = await this.line.ask<ItemsKeys>('GET', '/me/items-keys');
    for (const key of sealedKeys.keys) this.session.openItemsKey(fromBlob(key));
    return sealedKeys.keys.length;
  }

  /** The next generation of this person's keys, with an items key that the server keeps. */
  private async renewKey(escrow?: Uint8Array): Promise<void> {
    this.session.rotateKey(Date.now());
    const items_key = toBlob(this.session.sealedItemsKey());
    const update: SigchainUpdate = { sigchain: toBlob(this.session.sigchain()), items_key };
    if (escrow) update.recovery_escrow = toBlob(escrow);
    await this.sendList(update);
  }

  /** Follows the key log to its newest state, and believes it as far as this device can. */
  async checkLog(): Promise<LogFollower> {
    const { line, session, record } = this;
    const { log, checkpoint } = await checkLog(line, session, record, this.seen.checkpoint);
    this.witnessed = log.isWitnessed;
    this.seen.checkpoint = checkpoint;
    await this.keepSeen();
    return log;
  }

  /** From now on, what the server shows is believed only when this witness confirms it, too. */
  async addWitness(key: string): Promise<Person> {
    const { line, session } = this;
    const pinned = withWitness(this.record, key);
    const { checkpoint } = await checkLog(line, session, pinned, this.seen.checkpoint);
    await this.keep((record) => ({ ...record, ...pinned }));
    this.witnessed = true;
    this.seen.checkpoint = checkpoint;
    await this.keepSeen();
    return this.person();
  }

  /** Who this is. */
  async person(): Promise<Person> {
    const me = await this.line.ask<Me>('GET', '/me');
    const { user, device } = this.record;
    if (me.user !== user || me.device !== device) {
      throw new Failure('lie', 'The server takes this device for another one.');
    }
    let name: string | undefined;
    try {
      name = openProfile(this.session, me.profile);
    } catch {
      // A name is no reason to keep its person out.
    }
    return { me, name, witnessed: this.witnessed };
  }

  /** What this device knows the server by. */
  get pinned(): string {
    return writePinned(this.record);
  }

  /** Seals the device under another PIN, and changes this person's keys with it. */
  changePin(pin: string): Promise<void> {
    return inTurn(async () => {
      await this.catchUp();
      const shareKey = await newShareKey();
      const sealed = this.session.sealVault(pin, await shareOf(shareKey), true);
      // First: where the server takes no PIN for this device any more, nothing changes.
      const proposed = await this.propose(sealed);
      await this.renewKey();
      await this.keepVault(proposed, shareKey);
    });
  }

  /** Seals the device a second time, for a passkey that gave `secret` for `input`. */
  async openByPasskey(
    credential: Uint8Array,
    input: Uint8Array,
    secret: Uint8Array,
  ): Promise<void> {
    const shareKey = await newShareKey();
    // The secret is 32 random bytes: nobody guesses it, so no server has to count tries.
    const { vault } = this.session.sealVault(toBlob(secret), await shareOf(shareKey), false);
    const passkey = { credential, input, vault, shareKey };
    await this.keep((record) => ({ ...record, passkey }));
  }

  /** From now on the PIN alone opens this device. */
  async closeToPasskeys(): Promise<void> {
    await this.keep(({ passkey: _, ...rest }) => rest);
  }

  /** This person's devices, by the list that they have signed. */
  async devices(): Promise<string[]> {
    await this.keepUp();
    return this.session.devices();
  }

  /** Takes a device that was lost off the list: nothing that is sealed from now on opens there. */
  async takeOff(device: string): Promise<void> {
    await this.catchUp();
    // The page shows what the signed list has; that another device was faster is told.
    if (device === this.record.device || !this.session.devices().includes(device)) {
      throw new Failure('conflict', 'This device is not on the list.');
    }
    this.session.revokeDevice(device, Date.now());
    await this.renewKey();
  }

  /** Uses an invitation to one more hub. An admin there takes this person in. */
  async join(invitation: Invitation): Promise<void> {
    const { hub, rosterHead, secret, pinned } = invitation;
    if (readPinned(pinned).log !== this.record.log) {
      throw new Failure('other-server', 'The link knows this server by another key.');
    }
    const { code } = await offerOf(invitation);
    // The voucher names the list as it is now.
    await this.catchUp();
    const use: InviteUse = { code, voucher: toBlob(this.session.vouch(secret)) };
    // First: a server that gives no answer could else show another list of members later.
    this.seen.rosters[hub] = fromBlob(rosterHead);
    await this.keepSeen();
    await this.line.ask('POST', '/invites/join', use);
  }

  /**
   * Puts the device that a paper stands for on the list, and takes others off it: in one step, so
   * that there is never no way back.
   */
  async putOnPaper(paper: Session, escrow: Uint8Array, off: readonly string[]): Promise<void> {
    await this.catchUp();
    const { session } = this;
    // It had arrived when its answer did not.
    if (session.devices().includes(paper.device)) return;
    session.adopt(paper, Date.now());
    for (const device of session.devices()) {
      if (off.includes(device)) session.revokeDevice(device, Date.now());
    }
    await this.renewKey(escrow);
  }

  /** Sends the device list after a change here. */
  sendSigchain(): Promise<void> {
    return this.sendList({ sigchain: toBlob(this.session.sigchain()) });
  }

  private async sendAgain(update: SigchainUpdate): Promise<void> {
    try {
      await this.sendList(update);
    } catch (thrown) {
      const failure = failureOf(thrown);
      if (failure.code !== 'conflict') throw failure;
      // It arrived when its answer did not, or another device was faster: the server's list says.
      this.unsent = undefined;
      this.alone = true;
    }
  }

  /** What could not be sent goes first the next time: this device holds on to its own list. */
  private async sendList(update: SigchainUpdate): Promise<void> {
    this.unsent = update;
    this.handleChange();
    await this.line.ask('PUT', '/me/sigchain', update);
    this.unsent = undefined;
    await this.keepHead();
  }

  /** Leaves the newest items key with the server, for this person's other devices. */
  async keepItemsKey(): Promise<void> {
    const key = toBlob(this.session.sealedItemsKey());
    await this.line.ask('PUT', '/me/items-keys', { key });
  }

  /** Names the key with which this device looks while it is locked. */
  async nameViewKey(key: Uint8Array): Promise<void> {
    await this.line.ask('PUT', '/session/view-key', { key: toBlob(key) });
  }

  /** Seals the device anew, with a share that the server keeps and destroys after wrong tries. */
  shareWithServer(pin: string): Promise<void> {
    return inTurn(async () => {
      const shareKey = await newShareKey();
      const sealed = this.session.sealVault(pin, await shareOf(shareKey), true);
      await this.keepVault(await this.propose(sealed), shareKey);
    });
  }

  /** Leaves the share of a vault with the server, which takes the one before until this is used. */
  private async propose(sealed: NewVault): Promise<Proposed> {
    const { vault, serverShare: share, serverProof: auth } = sealed;
    if (!share || !auth) throw new Failure('internal', 'A vault came without its other share.');
    const { id } = new VaultFacts(vault);
    const proposal: ShareProposal = { share: toBlob(share), auth: toBlob(auth) };
    try {
      await this.line.ask('PUT', `/vaults/${id}/share`, proposal);
    } catch (thrown) {
      const failure = failureOf(thrown);
      // A device has one vault in its life, and the server destroys its share for good.
      if (failure.code === 'spent') throw new Failure('no-more-pins', failure.message);
      throw failure;
    }
    return { id, vault, auth };
  }

  /** Overwrites the old vault, now that the server has the new one's share, and uses that at once. */
  private async keepVault({ id, vault, auth }: Proposed, shareKey: CryptoKey): Promise<void> {
    await this.keep((record) => ({ ...record, vault, shareKey, serverShare: true }));
    // The vault is in force. Using the share only lets the server forget the one before.
    await serverShare(id, auth).catch(() => undefined);
  }

  async keepSeen(): Promise<void> {
    Object.assign(this.seen, await kept.keepSeen(this.record.device, this.seen));
  }

  private async keep(what: (record: kept.DeviceRecord) => kept.DeviceRecord): Promise<void> {
    this.record = await kept.change(this.record.device, what);
  }

  private async keepHead(): Promise<void> {
    this.seen.head = this.session.head();
    await this.keepSeen();
  }
}

/** A vault whose share the server has. */
interface Proposed {
  id: string;
  vault: Uint8Array;
  auth: Uint8Array;
}

/** Of two windows that seal at once, the server would know one vault and the browser keep another. */
const inTurn = <T>(what: () => Promise<T>): Promise<T> =>
  navigator.locks.request('vault', what) as Promise<T>;

async function deviceHere(): Promise<kept.DeviceRecord> {
  const record = await kept.device();
  if (record) return record;
  throw new Failure('no-device', 'There is no device in this browser.');
}

/** Told before a code is used up: two windows cannot both bring a device. */
export async function nobodyHere(): Promise<void> {
  if (await kept.device()) throw new Failure('device-here', 'Another window has brought a device.');
}

/** A vault that opens without a server, until the first login is through. */
interface FirstVault {
  vault: Uint8Array;
  shareKey: CryptoKey;
}

export async function firstVault(session: Session, pin: string): Promise<FirstVault> {
  const shareKey = await newShareKey();
  const { vault } = session.sealVault(pin, await shareOf(shareKey), false);
  return { vault, shareKey };
}

/** Moves into this browser, logs in, and leaves a share of the vault with the server. */
export async function settle(
  session: Session,
  first: FirstVault,
  pinned: string | undefined,
  pin: string,
  changed: TokensChanged,
  newcomer?: Pick<Seen, 'rosters'>,
): Promise<Client> {
  const { user, device } = session;
  const known = readPinned(pinned ?? (await serverItself()));
  const record = { user, device, ...first, serverShare: false, ...known };
  const seen = { ...nothingSeen(), ...newcomer };
  await kept.settle(record, seen);
  const line = new Line(session, await login(session, changed), changed);
  const client = new Client(session, line, record, seen);
  // Until then, only this worker's memory has it.
  if (newcomer) await client.keepItemsKey();
  await client.resume();
  await client.shareWithServer(pin);
  return client;
}

async function login(session: Session, changed: TokensChanged): Promise<Tokens> {
  const { device } = session;
  const asked = await open<ChallengeAnswer>('POST', '/login/challenge', { device });
  const proof = session.answerLogin(fromBlob(asked.challenge), self.location.origin, Date.now());
  const tokens = await open<Tokens>('POST', '/login', { proof: toBlob(proof) });
  if (tokens.user !== session.user) {
    throw new Failure('lie', 'The server logs this device in as another person.');
  }
  changed(tokens);
  return tokens;
}
