// What a device knows a server by, and takes from a person or a device before it takes it from the
// server: the key of its key log, and the keys of those who confirm the log.
import { Failure } from './failure';

export interface Pinned {
  log: string;
  witnesses: string[];
}

/** A line for each key, the log's first. */
export const writePinned = ({ log, witnesses }: Pinned): string => [log, ...witnesses].join('\n');

/** Whether these are keys, the cryptography says when it uses them. */
export function readPinned(text: string): Pinned {
  const [log = '', ...witnesses] = text.split('\n');
  return { log, witnesses };
}

/** The same with one more witness, whose key somebody beside the server has named. */
export function withWitness({ log, witnesses }: Pinned, typed: string): Pinned {
  const key = typed.trim();
  if (!/^\S+\+[0-9a-f]{8}\+\S+$/.test(key)) throw new Failure('no-key', key);
  const nameOf = (text: string) => text.slice(0, text.indexOf('+'));
  // The server cannot confirm itself.
  if (nameOf(key) === nameOf(log)) {
    throw key === log ? new Failure('no-key', key) : new Failure('other-server', key);
  }
  return { log, witnesses: witnesses.includes(key) ? witnesses : [...witnesses, key] };
}
