// The feed: hears from the server that something changed, and never what.
import { API_ROOT, type FeedLogin, type Notice, type Topic } from '$lib/api';
import { failureOf } from '$lib/failure';
import { scattered } from '$lib/pause';
import type { Line } from './line';

/** What the page is told. */
export type Heard =
  /** Something changed, or may have while nobody listened. */
  | 'changed'
  /** The server has ended the login. */
  | 'ended';

const PATH = '/feed';
/** Close codes of the server's own; the login has to be renewed after them. */
const SESSION_ENDED = 4001;
const NOT_LOGGED_IN = 4003;

/** What the panel shows comes from these. */
const SHOWN: readonly Topic[] = ['members', 'keys', 'settings'];

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

/** Listens until its worker ends. */
export class Feed {
  private pauseMs = FIRST_PAUSE_MS;

  constructor(
    private readonly line: Line,
    private readonly tell: (heard: Heard) => void,
  ) {
    this.listen();
  }

  private listen(): void {
    const address = new URL(API_ROOT + PATH, self.location.origin);
    address.protocol = 'wss:';
    const socket = new WebSocket(address);
    socket.onopen = () => {
      const login: FeedLogin = this.line.prove('GET', PATH);
      socket.send(JSON.stringify(login));
    };
    socket.onmessage = ({ data }) => {
      const notice = JSON.parse(data as string) as Notice;
      if (notice.kind === 'ready') this.pauseMs = FIRST_PAUSE_MS;
      // In force, missed, devices of this person, or something that is shown of a hub.
      if (notice.kind !== 'changed' || SHOWN.includes(notice.topic)) this.tell('changed');
    };
    socket.onclose = ({ code }) => void this.goOn(code);
  }

  /** Listens again, a while later; not when the login is over. */
  private async goOn(code: number): Promise<void> {
    if (code === SESSION_ENDED || code === NOT_LOGGED_IN) {
      try {
        // Renews an access token that has ended.
        await this.line.ask('GET', '/me');
      } catch (thrown) {
        if (failureOf(thrown).endsLogin) return this.tell('ended');
      }
    }
    setTimeout(() => this.listen(), scattered(this.pauseMs, Math.random()));
    this.pauseMs = Math.min(2 * this.pauseMs, LONGEST_PAUSE_MS);
  }
}
