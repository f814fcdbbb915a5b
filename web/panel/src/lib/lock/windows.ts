// The windows of one browser: each has keys of its own in a worker of its own, and all are one device.
//
// What a person does by hand holds in all of them. Whoever uses one is at the device, so no other
// locks as idle. What a window does by itself stays its own: one that is out of sight ends its keys
// although another is in use, since keys that nobody sees in use are best gone, and never takes those
// of the window in use with it. The longest time counts from the PIN that was entered in a window.

/** What a window tells all others. */
export type Told =
  /** The person is there. */
  | 'sign'
  /** The person has locked the device. */
  | 'locked'
  /** The person has ended their login. */
  | 'logged-out'
  /** The person has removed the device from the browser. */
  | 'forgotten';

const CHANNEL = 'device';

export class Windows {
  private readonly channel = new BroadcastChannel(CHANNEL);

  constructor(heard: (told: Told) => void) {
    this.channel.onmessage = ({ data }: MessageEvent<Told>) => heard(data);
  }

  tell(what: Told): void {
    this.channel.postMessage(what);
  }
}
