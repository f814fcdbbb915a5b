// Two devices of one person meet in a room of the server, which hears nothing that it understands.
import { NewPairing, OldPairing, Session } from '$crypto';
import type { RoomHeard } from '$lib/api';
import { fromBlob, toBlob, toId } from '$lib/blob';
import { Failure } from '$lib/failure';
import { firstVault, nobodyHere, settle, type Client } from './client';
import { open, type TokensChanged } from './line';

// Where the messages of the two stand in their conversation.
const COMMIT = 0;
const SHARE = 1;
const REVEAL = 2;
const HELLO = 3;
const PAYLOAD = 4;

/** How long a room is open (KEY-20), in milliseconds. */
const ROOM_MS = 5 * 60 * 1000;

class Room {
  readonly path: string;
  /** Whose device has joined, by the word of the server. */
  person: string | undefined;
  private readonly pass = toBlob(crypto.getRandomValues(new Uint8Array(16)));
  private readonly until = Date.now() + ROOM_MS;

  constructor(room: Uint8Array) {
    this.path = `/pairing/${toId(room)}`;
  }

  get entry(): { pass: string } {
    return { pass: this.pass };
  }

  async say(message: Uint8Array): Promise<void> {
    const said = { pass: this.pass, message: toBlob(message) };
    await open('POST', `${this.path}/messages`, said);
  }

  /** The server answers after a while also when nothing was said. */
  async hear(place: number): Promise<Uint8Array> {
    while (Date.now() < this.until) {
      const reading = { pass: this.pass, place };
      const heard = await open<RoomHeard>('POST', `${this.path}/heard`, reading);
      const { message, person } = heard;
      this.person = person ?? this.person;
      if (message) return fromBlob(message);
    }
    throw new Failure('room-closed', 'Nobody came within five minutes.');
  }
}

/** The device that wants in. */
export class NewDevice {
  private constructor(
    private readonly pairing: NewPairing,
    private readonly room: Room,
    /** What the other device scans, or what is typed there. */
    readonly invitation: string,
  ) {}

  /** Makes keys and opens a room. */
  static async open(typed: boolean): Promise<NewDevice> {
    await nobodyHere();
    const pairing = new NewPairing(Session.create(), typed);
    const room = new Room(pairing.room());
    await open('POST', room.path, room.entry);
    return new NewDevice(pairing, room, pairing.invitation());
  }

  /** Meets the other device; the digits that the person types there. */
  async digits(): Promise<string> {
    const commit = await this.room.hear(COMMIT);
    const { person } = this.room;
    if (!person) throw new Failure('lie', 'The server does not say whose device has come.');
    // If that is a lie, the other device refuses this one: its card is for somebody else.
    this.pairing.namePerson(person);
    await this.room.say(this.pairing.receive(commit));
    await this.room.say(this.pairing.receive(await this.room.hear(REVEAL)));
    const digits = this.pairing.digits();
    if (!digits) throw new Failure('interference', 'The devices have not met.');
    return digits;
  }

  /** Waits until the other device has let this one in; then it lives in this browser. */
  async enter(pin: string, changed: TokensChanged): Promise<Client> {
    const session = this.pairing.finish(await this.room.hear(PAYLOAD));
    const vault = await firstVault(session, pin);
    return settle(session, vault, session.pinned, pin, changed);
  }
}

/** The device that lets another one in. */
export class Helping {
  private constructor(
    private readonly client: Client,
    private readonly pairing: OldPairing,
    private readonly room: Room,
  ) {}

  /** Reads what the new device shows, and meets it. Ask for its digits next. */
  static async join(client: Client, text: string, typed: boolean): Promise<Helping> {
    const pairing = new OldPairing(client.session, text, typed);
    const room = new Room(pairing.room());
    await client.line.ask('POST', `${room.path}/join`, room.entry);
    await room.say(pairing.first());
    await room.say(pairing.receiveShare(await room.hear(SHARE)));
    pairing.receiveHello(await room.hear(HELLO));
    return new Helping(client, pairing, room);
  }

  /** Takes the digits that the person read on the new device, and lets it in. There is one try. */
  async letIn(digits: string): Promise<void> {
    const { session, pinned } = this.client;
    // First: the digits can be tried once.
    await this.client.catchUp();
    this.pairing.confirm(digits);
    const payload = this.pairing.admit(session, pinned, Date.now());
    // The new device believes the list only when the server has it.
    await this.client.sendSigchain();
    await this.room.say(payload);
  }
}
