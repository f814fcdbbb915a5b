// What this browser keeps of a device: in IndexedDB, sealed or opening nothing by itself.

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

/** What this device has seen, so that no server takes it back. */
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

async function within<T>(
  mode: IDBTransactionMode,
  act: (store: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  const opened = await database();
  try {
    return await new Promise<T>((resolve, reject) => {
      // "strict": what a person was told is kept must survive the power going.
      const transaction = opened.transaction(STORE, mode, { durability: 'strict' });
      const request = act(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error);
    });
  } finally {
    opened.close();
  }
}

export const device = (): Promise<DeviceRecord | undefined> =>
  within('readonly', (store) => store.get('device') as IDBRequest<DeviceRecord | undefined>);

export async function keepDevice(record: DeviceRecord): Promise<void> {
  await within('readwrite', (store) => store.put(record, 'device'));
}

export async function seen(): Promise<Seen> {
  const kept = await within(
    'readonly',
    (store) => store.get('seen') as IDBRequest<Seen | undefined>,
  );
  return kept ?? nothingSeen();
}

export async function keepSeen(what: Seen): Promise<void> {
  await within('readwrite', (store) => store.put(what, 'seen'));
}

/** Forgets the device: whoever wants it back needs the recovery key. */
export async function forgetDevice(): Promise<void> {
  await within('readwrite', (store) => store.clear());
}
