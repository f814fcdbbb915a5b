// The device's share of its vault, from a key that the browser keeps and gives to nobody.
//
// The key is an HMAC key that cannot be exported; IndexedDB stores the handle, the browser the
// bytes. The share is its HMAC of nothing: each vault has a key of its own. Whoever copies the
// vault alone has half of what opens it; whoever copies the browser's whole profile has both, and
// still needs the PIN and the server's share.

const ALGORITHM = { name: 'HMAC', hash: 'SHA-256' };

export async function newShareKey(): Promise<CryptoKey> {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  const key = await crypto.subtle.importKey('raw', bytes, ALGORITHM, false, ['sign']);
  bytes.fill(0);
  return key;
}

/** 32 bytes. */
export async function shareOf(key: CryptoKey): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.sign('HMAC', key, new Uint8Array()));
}
