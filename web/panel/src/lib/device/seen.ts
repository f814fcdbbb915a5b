// What a device has seen, so that no server takes it back.

export interface Seen {
  /** The head of its person's own device list. */
  head?: Uint8Array;
  /** The last believed checkpoint of the key log. */
  checkpoint?: string;
  /** For whom this device last sealed its person's name, by hub. */
  named: Record<string, string>;
  /** The heads of other people's device lists. */
  people: Record<string, Uint8Array>;
  /** How far the rosters of hubs went; at first, when somebody invited this person. */
  rosters: Record<string, Uint8Array>;
}

export const nothingSeen = (): Seen => ({ named: {}, people: {}, rosters: {} });

/** What two windows have seen: of each thing the farthest. `mine` counts where both are as far. */
export function together(other: Seen, mine: Seen): Seen {
  return {
    head: farther(other.head, mine.head, seqno),
    checkpoint: farther(other.checkpoint, mine.checkpoint, sizeOf),
    // Where this is an older one, the name is sealed once more.
    named: mine.named,
    people: farthest(other.people, mine.people),
    rosters: farthest(other.rosters, mine.rosters),
  };
}

/** The size that a checkpoint names on its second line; nothing that is a number where it has none. */
export const sizeOf = (checkpoint: string): number => Number(checkpoint.split('\n')[1]);

type Heads = Record<string, Uint8Array>;

function farthest(others: Heads, mine: Heads): Heads {
  const all = { ...others };
  for (const [id, head] of Object.entries(mine)) all[id] = farther(all[id], head, seqno) ?? head;
  return all;
}

function farther<T>(other: T | undefined, mine: T | undefined, of: (one: T) => number) {
  if (other === undefined || mine === undefined) return mine ?? other;
  return of(other) > of(mine) ? other : mine;
}

/** The number that a head begins with (`ChainHead`, and that of a roster alike). */
const seqno = ({ buffer, byteOffset }: Uint8Array) => new DataView(buffer, byteOffset).getUint32(0);
