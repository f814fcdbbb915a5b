// What this browser keeps of a device: in IndexedDB, sealed or opening nothing by itself. All windows
// of the browser share it: each change reads, and writes, what the others have left.
import { Failure } from '$lib/failure';
import { nothingSeen, type Seen, together } from './seen';

/** A device at rest. */
export interface DeviceRecord {
  user: string;
  device: string;
  /** The device's keys, sealed under the PIN and the shares. */
  vault: Uint8Array;
  /** Makes this device's share of the vault. The browser lets nobody read it. */
  shareKey: CryptoKey;
  /** Whether the server keeps a share as well. */
  serverShare: boolean;
  /** A second vault of the same keys, which a passkey opens in place of the PIN. */
  passkey?: PasskeyVault;
  /** The keys of the server's log and of those who confirm it, as this device was first told. */
  log: string;
  witnesses: string[];
}

/** Opens with what one passkey gives for `input`, and with this browser's share. */
export interface PasskeyVault {
  credential: Uint8Array;
  input: Uint8Array;
  vault: Uint8Array;
  shareKey: CryptoKey;
}

const DATABASE = 'centralita';
const STORE = 'device';

function database(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(opening.error);
  });
}

/** Runs in one transaction, which no other window comes between. Gives what `act` last chose. */
async function within<T>(
  mode: IDBTransactionMode,
  act: (store: IDBObjectStore, choose: (result: T) => void) => void,
): Promise<T> {
  const opened = await database();
  try {
    return await new Promise<T>((resolve, reject) => {
      // "strict": what a person was told is kept must survive the power going.
      const transaction = opened.transaction(STORE, mode, { durability: 'strict' });
      let chosen: T;
      transaction.oncomplete = () => resolve(chosen);
      transaction.onabort = () => reject(transaction.error);
      act(transaction.objectStore(STORE), (result) => (chosen = result));
    });
  } finally {
    opened.close();
  }
}

/** Gets what is kept under a name to `use`, within a transaction. */
function fetched<T>(store: IDBObjectStore, name: string, use: (kept: T | undefined) => void): void {
  const request = store.get(name) as IDBRequest<T | undefined>;
  request.onsuccess = () => use(request.result);
}

export const device = (): Promise<DeviceRecord | undefined> =>
  within('readonly', (store, choose) => fetched<DeviceRecord>(store, 'device', choose));

export const seen = (): Promise<Seen> =>
  within('readonly', (store, choose) =>
    fetched<Seen>(store, 'seen', (kept) => choose(kept ?? nothingSeen())),
  );

/** Keeps a device that was not here before; never in place of one that another window brought. */
export async function settle(record: DeviceRecord, seen: Seen): Promise<void> {
  const isFree = await within<boolean>('readwrite', (store, choose) =>
    fetched<DeviceRecord>(store, 'device', (kept) => {
      choose(!kept);
      if (kept) return;
      store.put(record, 'device');
      store.put(seen, 'seen');
    }),
  );
  if (!isFree) throw new Failure('device-here', 'Another window has brought a device.');
}

/** Changes what is kept of a device, as another window may have left it; gives the whole. */
export async function change(
  id: string,
  what: (record: DeviceRecord) => DeviceRecord,
): Promise<DeviceRecord> {
  const changed = await within<DeviceRecord | undefined>('readwrite', (store, choose) =>
    fetched<DeviceRecord>(store, 'device', (kept) => {
      if (kept?.device !== id) return;
      const next = what(kept);
      store.put(next, 'device');
      choose(next);
    }),
  );
  return changed ?? gone();
}

/** Adds to what a device has seen; gives that and what its other windows have. */
export async function keepSeen(id: string, mine: Seen): Promise<Seen> {
  const all = await within<Seen | undefined>('readwrite', (store, choose) =>
    fetched<DeviceRecord>(store, 'device', (record) => {
      if (record?.device !== id) return;
      fetched<Seen>(store, 'seen', (kept) => {
        const next = kept ? together(kept, mine) : mine;
        store.put(next, 'seen');
        choose(next);
      });
    }),
  );
  return all ?? gone();
}

/** Forgets the device: whoever wants it back needs the recovery key. */
export async function forgetDevice(): Promise<void> {
  await within<void>('readwrite', (store) => void store.clear());
}

function gone(): never {
  throw new Failure('device-gone', 'This browser keeps the device no longer.');
}
