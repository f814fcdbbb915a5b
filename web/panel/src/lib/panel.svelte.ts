// The one owner of what the panel shows: whether this browser is a device, and whether it is open.
import type { Passkeys, ServerFacts, Tokens } from './api';
import * as kept from './device/store';
import { Failure, failureOf } from './failure';
import type { Ahead, LockReason } from './lock/auto_lock';
import { Watch } from './lock/watch';
import { type Told, Windows } from './lock/windows';
import * as passkeys from './passkey';
import { reloadAt } from './pause';
import type { Person, Recovery } from './session/client';
import type { Entry } from './session/entry';
import type { Heard } from './session/feed';
import { type Hosted, vaultWorker, viewWorker } from './session/host';
import type { VaultCalls, ViewCalls } from './session/protocol';

export type Stage = 'starting' | 'new' | 'locked' | 'open' | 'broken';
export type Warning = Extract<Ahead, { kind: 'warning' }>;

/** Signs of the person are told to the server so often in the time that it waits for one. */
const SIGNS_PER_IDLE = 6;

export class Panel {
  stage = $state<Stage>('starting');
  /** Why the device is locked; nothing when it was never open in this page. */
  lockedBy = $state<LockReason>();
  warning = $state<Warning>();
  person = $state.raw<Person>();
  /** Whether a passkey opens this device in place of the PIN. */
  byPasskey = $state(false);
  /** Whether the hotline has passkeys, as it said when it was last asked. */
  offersPasskeys = $state(false);
  /** Whether a locked device may look. */
  canLook = $state(false);
  /** Goes up when the server tells of a change: what is shown is loaded again. */
  changes = $state(0);

  private vault: Hosted<VaultCalls> | undefined;
  private view: Hosted<ViewCalls> | undefined;
  private tokens: Tokens | undefined;
  private watch: Watch | undefined;
  private told: ReturnType<typeof setTimeout> | undefined;
  /** When what is shown is loaded again; in the past where nothing was heard since. */
  private reloadsAt = 0;
  private readonly windows = new Windows((told) => this.hearWindow(told));

  async start(): Promise<void> {
    try {
      const device = await kept.device();
      this.byPasskey = device?.passkey !== undefined;
      this.stage = device ? 'locked' : 'new';
    } catch {
      this.stage = 'broken';
    }
  }

  /** The worker with the keys; a new one unless there is one. */
  get worker(): Hosted<VaultCalls> {
    this.vault ??= vaultWorker({
      tokens: (tokens) => (this.tokens = tokens),
      heard: (heard) => this.hear(heard),
    });
    return this.vault;
  }

  /** Gives up what was begun and not finished; keys that were made go with it. */
  giveUp(): void {
    if (this.stage === 'open') return;
    this.vault?.end();
    this.vault = undefined;
  }

  enter = (entry: Entry, name: string, pin: string): Promise<void> =>
    this.letIn((call) => call.enter(entry, name, pin));

  unlock = (pin: string): Promise<void> =>
    this.open((call) => call.unlock(pin, this.tokens && { ...this.tokens }));

  /** Asks the passkey that opens this device. */
  unlockByPasskey = async (): Promise<void> => {
    const passkey = (await kept.device())?.passkey;
    if (!passkey) throw new Failure('no-passkey', 'No passkey opens this device.');
    const { secret } = await passkeys.use([passkey.credential], passkey.input);
    if (!secret) throw new Failure('no-secret', 'The passkey has no secret.');
    try {
      await this.open((call) => call.unlockByPasskey(secret, this.tokens && { ...this.tokens }));
    } finally {
      secret.fill(0);
    }
  };

  recover = (found: Recovery, pin: string): Promise<void> =>
    this.open((call) => call.recover(found, pin));

  enterRoom = (pin: string): Promise<void> => this.letIn((call) => call.enterRoom(pin));

  /** The person locks the device: in all windows of this browser. */
  lockByHand(): void {
    this.lock('by-hand');
    this.windows.tell('locked');
  }

  /** Ends the worker with the keys. What is on the screen goes with it. */
  private lock(reason: LockReason): void {
    this.watch?.stop();
    this.watch = undefined;
    this.warning = undefined;
    this.vault?.end();
    this.vault = undefined;
    this.person = undefined;
    this.lockedBy = reason;
    this.canLook = reason !== 'ended' && this.tokens !== undefined && this.view !== undefined;
    if (this.canLook && this.tokens) void this.view?.call.take({ ...this.tokens });
    this.stage = 'locked';
  }

  /** Ends the logins of all windows, here and at the server; the device stays, locked. */
  async logout(): Promise<void> {
    this.windows.tell('logged-out');
    await this.endLogin();
  }

  private async endLogin(): Promise<void> {
    const { view } = this;
    // At once, however long the server takes; where it does not answer, the login can still be
    // ended from the locked device.
    if (this.stage === 'open') this.lock('by-hand');
    await view?.call.logout();
    this.forgetLogin();
  }

  /** Forgets the device. Its person needs their recovery key, or another device, to come back. */
  async forget(): Promise<void> {
    this.forgetLogin();
    this.giveUp();
    await kept.forgetDevice();
    this.windows.tell('forgotten');
    this.byPasskey = false;
    this.lockedBy = undefined;
    this.stage = 'new';
  }

  /** What was done in another window of this browser. */
  private hearWindow(told: Told): void {
    if (told === 'sign') return this.watch?.handleSign();
    // Who is on their way in has keys of another device, or none yet.
    if (this.stage !== 'open' && this.stage !== 'locked') return;
    if (this.stage === 'open') this.lock('by-hand');
    // It may be unlocking at this moment.
    else this.giveUp();
    if (told === 'logged-out') void this.endLogin().catch(() => undefined);
    if (told === 'forgotten') {
      this.forgetLogin();
      this.lockedBy = undefined;
      void this.start();
    }
  }

  /** Looks something up: with the keys, or with the key of a locked device. */
  get = async <T>(path: string): Promise<T> => {
    const worker = this.stage === 'open' ? this.vault : this.view;
    if (!worker) throw new Failure('locked', 'The device is locked.');
    return this.watched(worker.call.get(path) as Promise<T>);
  };

  /** Carries something out that needs the keys. */
  act = <T>(what: (call: Hosted<VaultCalls>['call']) => Promise<T>): Promise<T> => {
    if (!this.vault) return Promise.reject(new Failure('locked', 'The device is locked.'));
    return this.watched(what(this.vault.call));
  };

  /** Asks whether the hotline has passkeys: that may change from one day to the next. */
  async learnOfPasskeys(): Promise<void> {
    this.offersPasskeys = (await this.get<ServerFacts>('/server')).passkeys;
  }

  /** Lets a passkey open this device: a new one called `name`, or one that the person has. */
  async openByPasskey(name: string | undefined): Promise<void> {
    const input = await this.act((call) => call.passkeyInput());
    let answer: passkeys.Answer;
    if (name === undefined) {
      const mine = await this.get<Passkeys>('/me/passkeys');
      answer = await passkeys.use(passkeys.credentials(mine.passkeys), input);
    } else {
      const { attempt, options } = await this.act((call) => call.beginPasskey());
      answer = await passkeys.make(options, input);
      // One that opens nothing is not left with the server either.
      if (!answer.secret) throw new Failure('no-secret', 'The passkey has no secret.');
      const { json } = answer;
      await this.act((call) => call.keepPasskey(attempt, json, name));
    }
    const { credential, secret } = answer;
    if (!secret) throw new Failure('no-secret', 'The passkey has no secret.');
    try {
      await this.act((call) => call.openByPasskey(credential, input, secret));
    } finally {
      secret.fill(0);
    }
    this.byPasskey = true;
  }

  async addWitness(key: string): Promise<void> {
    this.person = await this.act((call) => call.addWitness(key));
  }

  async closeToPasskeys(): Promise<void> {
    await this.act((call) => call.closeToPasskeys());
    this.byPasskey = false;
  }

  /** As `letIn`; where it fails, nothing that was unlocked on the way stays behind. */
  private async open(how: (call: Hosted<VaultCalls>['call']) => Promise<Person>): Promise<void> {
    try {
      await this.letIn(how);
    } catch (failure) {
      this.giveUp();
      throw failure;
    }
  }

  private async letIn(how: (call: Hosted<VaultCalls>['call']) => Promise<Person>): Promise<void> {
    const { worker } = this;
    const person = await this.cameIn(how(worker.call));
    // Without a promise of the browser, a full disk could cost somebody their device.
    void navigator.storage?.persist?.();
    await this.prepareView(person.me.device);
    // Another window may have locked the device meanwhile.
    if (this.vault !== worker) throw new Failure('locked', 'The device was locked.');
    this.person = person;
    this.lockedBy = undefined;
    this.stage = 'open';
    this.watchOver();
  }

  /** Who came in as far as this browser keeps their device has it: trying again would be in vain. */
  private async cameIn(person: Promise<Person>): Promise<Person> {
    try {
      return await person;
    } catch (failure) {
      if (this.stage === 'new' && (await kept.device())) {
        this.giveUp();
        this.lockedBy = failureOf(failure).code === 'device-here' ? 'elsewhere' : 'half-way';
        this.stage = 'locked';
      }
      throw failure;
    }
  }

  private hear(heard: Heard): void {
    if (this.stage !== 'open') return;
    if (heard === 'ended') return this.lock('ended');
    // One thing that somebody does is often several changes.
    const now = Date.now();
    this.reloadsAt = reloadAt(now, this.reloadsAt, Math.random());
    clearTimeout(this.told);
    this.told = setTimeout(() => this.changes++, this.reloadsAt - now);
  }

  private async prepareView(device: string): Promise<void> {
    this.view?.end();
    this.view = viewWorker({ tokens: (tokens) => (this.tokens = tokens) });
    const key = await this.view.call.create(device);
    await this.vault?.call.nameViewKey(key);
  }

  private watchOver(): void {
    if (!this.tokens) return;
    const { idle_after_s: idle, unlocked_at_most_s: longest } = this.tokens;
    const limits = { idleMs: idle * 1000, longestMs: longest * 1000 };
    this.watch = new Watch(limits, limits.idleMs / SIGNS_PER_IDLE, {
      warning: (warning) => (this.warning = warning),
      lock: (reason) => this.lock(reason),
      sign: () => void this.get('/me').catch(() => undefined),
      signHere: () => this.windows.tell('sign'),
    });
  }

  /** A login that the server has ended locks the device. */
  private async watched<T>(asked: Promise<T>): Promise<T> {
    try {
      return await asked;
    } catch (thrown) {
      const failure = failureOf(thrown);
      if (failure.endsLogin && this.stage === 'open') this.lock('ended');
      else if (failure.endsLogin) this.forgetLogin();
      throw failure;
    }
  }

  private forgetLogin(): void {
    this.tokens = undefined;
    this.view?.end();
    this.view = undefined;
    this.canLook = false;
  }
}

export const panel = new Panel();
