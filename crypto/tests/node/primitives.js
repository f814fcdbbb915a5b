// Vaults and relay signatures over noble's own primitives (Argon2id, PBKDF2,
// XChaCha20-Poly1305, BIP-340); written from docs/protocol/vault-v1.md and
// docs/protocol/sigchain-v1.md.
//
// usage: node primitives.js open|seal|verify|sign < facts.json
//
// Bytes are hexadecimal in JSON, both ways; the code is text. What does not open
// ends the program with status 1 and one sentence.

import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { schnorr } from "@noble/curves/secp256k1.js";
import { argon2id } from "@noble/hashes/argon2.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { pbkdf2 } from "@noble/hashes/pbkdf2.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, concatBytes, hexToBytes, randomBytes } from "@noble/hashes/utils.js";

const text = new TextEncoder();

class Refused extends Error {}

function vector(bytes) {
  const long = 0x4000 + bytes.length;
  return concatBytes(new Uint8Array(bytes.length < 64 ? [bytes.length] : [long >> 8, long & 255]), bytes);
}
const bind = (label, context) => concatBytes(vector(text.encode(label)), vector(context));
const derive = (secret, bound) => hkdf(sha256, secret, undefined, bound, 32);

function stretch(kdf, code, salt) {
  if (kdf === 1) return pbkdf2(sha256, code, salt, { c: 600_000, dkLen: 32 });
  if (kdf === 2) return argon2id(code, salt, { t: 3, m: 65_536, p: 1, dkLen: 32 });
  throw new Refused("unknown kdf");
}

function keys(header, code, shares) {
  const stretched = stretch(header[5], text.encode(code.trim()), header.subarray(23, 55));
  if (shares.some((share, place) => ((header[6] >> place) & 1) !== Number(share !== null))) throw new Refused("other shares are needed");
  const kek = derive(concatBytes(stretched, ...shares.filter((share) => share)), bind("hl/v1/vault/vault-kek", header));
  const auth = derive(concatBytes(stretched, shares[0] ?? new Uint8Array()), bind("hl/v1/vault/share-auth", header));
  return { kek, auth };
}

const cipher = (kek, header, nonce) => xchacha20poly1305(kek, nonce, bind("hl/v1/vault/vault-blob", header));

function open({ vault, code, shares }) {
  const header = vault.subarray(0, 55);
  const { kek, auth } = keys(header, code, shares);
  try {
    return { seed: cipher(kek, header, vault.subarray(55, 79)).decrypt(vault.subarray(79)), auth };
  } catch {
    throw new Refused("the box does not open");
  }
}

function seal({ kdf, seed, code, shares }) {
  const named = shares.reduce((sum, share, place) => sum + (share ? 1 << place : 0), 0);
  const header = concatBytes(text.encode("HLVT"), new Uint8Array([1, kdf, named]), randomBytes(48));
  const { kek, auth } = keys(header, code, shares);
  const nonce = randomBytes(24);
  return { vault: concatBytes(header, nonce, cipher(kek, header, nonce).encrypt(seed)), auth };
}

const verify = ({ key, digest, signature }) => ({ holds: schnorr.verify(signature, digest, key) });

function sign({ digest }) {
  const secret = schnorr.utils.randomSecretKey();
  return { key: schnorr.getPublicKey(secret), signature: schnorr.sign(digest, secret) };
}

const fromJson = (name, value) => (typeof value === "string" && name !== "code" ? hexToBytes(value) : value);
const toJson = (_, value) => (value instanceof Uint8Array ? bytesToHex(value) : value);

const pieces = [];
for await (const piece of process.stdin) pieces.push(piece);
const facts = JSON.parse(Buffer.concat(pieces).toString(), fromJson);
try {
  process.stdout.write(JSON.stringify({ open, seal, verify, sign }[process.argv[2]](facts), toJson));
} catch (refusal) {
  if (!(refusal instanceof Refused)) throw refusal;
  process.stderr.write(`refused: ${refusal.message}`);
  process.exitCode = 1;
}
