// The file that goes with a recovery key. It holds nothing that opens without the key.

export interface Backup {
  user: string;
  escrow: string;
  /** What the person knows the server by. */
  pinned: string;
}

export const BACKUP_KIND = 'centralita-recovery';

export function writeBackup(origin: string, { user, escrow, pinned }: Backup): string {
  const file = { kind: BACKUP_KIND, version: 1, origin, user, escrow, pinned };
  return `${JSON.stringify(file, null, 2)}\n`;
}

/** Reads such a file; nothing for any other. */
export function readBackup(text: string): Backup | undefined {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof file !== 'object' || file === null) return undefined;
  const { kind, version, user, escrow, pinned } = file as Record<string, unknown>;
  if (kind !== BACKUP_KIND || version !== 1) return undefined;
  if (typeof user !== 'string' || !/^[0-9a-f]{32}$/.test(user)) return undefined;
  if (typeof escrow !== 'string' || !/^[\w-]+$/.test(escrow)) return undefined;
  if (typeof pinned !== 'string' || pinned === '') return undefined;
  return { user, escrow, pinned };
}
