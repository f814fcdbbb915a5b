// What a device knows a server by, and takes from a person or a device before it takes it from the
// server: the key of its key log, and the keys of those who confirm the log.

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
