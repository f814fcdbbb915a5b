// Opens and makes sealed records; written from docs/protocol/record-v1.md.
//
// usage: node record.js open|seal < facts.json
//
// Bytes are hexadecimal in JSON, both ways. What does not open ends the program
// with status 1 and one sentence.

import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from "@hpke/core";
import { gcm } from "@noble/ciphers/aes.js";
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { ed25519 } from "@noble/curves/ed25519.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import { bytesToHex, concatBytes, hexToBytes, randomBytes } from "@noble/hashes/utils.js";

const text = new TextEncoder();
const suite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
});
const CHUNK = 16384;

class Refused extends Error {}

const same = (one, other) => bytesToHex(one) === bytesToHex(other);

function integer(value, count) {
  const out = new Uint8Array(count);
  for (let place = count - 1; place >= 0; place--, value = Math.floor(value / 256)) out[place] = value % 256;
  return out;
}

const vector = (bytes) =>
  concatBytes(bytes.length < 64 ? integer(bytes.length, 1) : integer(0x4000 + bytes.length, 2), bytes);
const bind = (label, context) => concatBytes(vector(text.encode(label)), vector(context));
const bodyLabel = (kind) => `hl/v1/record/${kind}-body`;

function padded(count) {
  count = Math.max(count, 256);
  const exponent = Math.floor(Math.log2(count));
  const step = 2 ** (exponent - Math.floor(Math.log2(exponent)) - 1);
  return Math.ceil(count / step) * step;
}

class Input {
  constructor(data) {
    this.data = data;
    this.at = 0;
  }
  take(count) {
    if (this.at + count > this.data.length) throw new Refused("the record is cut off");
    this.at += count;
    return this.data.subarray(this.at - count, this.at);
  }
  integer(count) {
    return this.take(count).reduce((sum, byte) => sum * 256 + byte, 0);
  }
}

// HKDF-Expand over HMAC: libraries refuse a key shorter than the hash.
function expand(key, info) {
  const first = hmac(sha512, key, concatBytes(info, integer(1, 1)));
  return concatBytes(first, hmac(sha512, key, concatBytes(first, info, integer(2, 1))));
}

function cobblestone(key, salt, context) {
  const name = text.encode("c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0");
  const derived = expand(key, concatBytes(name, salt, context)).subarray(0, 76);
  const nonce = (index) => {
    const out = derived.slice(32, 44);
    integer(index, 8).forEach((byte, place) => (out[4 + place] ^= byte));
    return out;
  };
  return {
    commitment: derived.subarray(44),
    chunk: (index) => gcm(derived.subarray(0, 32), nonce(index)),
  };
}

function openBody(body, key, context) {
  const message = cobblestone(key, body.subarray(0, 24), context);
  if (!same(message.commitment, body.subarray(24, 56))) throw new Refused("the body is not this key's");
  const pieces = [];
  for (let at = 56, index = 0; ; at += CHUNK + 16, index++) {
    const sealed = body.subarray(at, at + CHUNK + 16);
    try {
      pieces.push(message.chunk(index).decrypt(sealed));
    } catch {
      throw new Refused("the body does not open");
    }
    if (sealed.length < CHUNK + 16) break;
  }
  const plain = concatBytes(...pieces);
  const length = new Input(plain).integer(4);
  const padding = plain.subarray(4 + length);
  if (plain.length !== padded(4 + length) || padding.some((byte) => byte !== 0)) throw new Refused("the padding is wrong");
  return plain.subarray(4, 4 + length);
}

function sealBody(words, key, context) {
  const plain = new Uint8Array(padded(4 + words.length));
  plain.set(integer(words.length, 4));
  plain.set(words, 4);
  const salt = randomBytes(24);
  const message = cobblestone(key, salt, context);
  const pieces = [salt, message.commitment];
  for (let index = 0; index * CHUNK <= plain.length; index++) {
    pieces.push(message.chunk(index).encrypt(plain.subarray(index * CHUNK, (index + 1) * CHUNK)));
  }
  return concatBytes(...pieces);
}

function headerSigned(context, author, bodyHash) {
  const label = author.every((byte) => byte === 0) ? "ingest-header" : "record-header";
  return bind(`hl/v1/record/${label}`, concatBytes(context, bodyHash));
}

const manifestSigned = (context, unsigned) =>
  bind("hl/v1/record/record-manifest", concatBytes(sha256(context), unsigned));

const wrapInfo = (context, commitment, user, generation) =>
  bind("hl/v1/record/record-key-wrap", concatBytes(sha256(context), commitment, user, integer(generation, 4)));

function readContext(source) {
  if (!same(source.take(6), concatBytes(text.encode("HLRC"), new Uint8Array([1, 1])))) throw new Refused("unknown format");
  const kind = new TextDecoder().decode(source.take(source.integer(1)));
  const context = { kind, hub: source.take(16), record: source.take(16), revision: source.integer(4) };
  context.parent = source.take(32);
  context.author = source.take(16);
  context.device = source.take(16);
  context.bytes = source.data.subarray(0, source.at);
  return context;
}

function readManifest(source) {
  const start = source.at;
  const manifest = { commitment: source.take(32), revision: source.integer(4), previous: source.take(32) };
  manifest.signer = source.take(16);
  manifest.stale = source.integer(1) === 1;
  const count = source.integer(1);
  manifest.entries = Array.from({ length: count }, () => {
    const entry = { user: source.take(16), generation: source.integer(4), kind: source.integer(1) };
    entry.wrap = source.take(entry.kind === 0 ? 80 : 72);
    return entry;
  });
  manifest.unsigned = source.data.subarray(start, source.at);
  manifest.signature = source.take(64);
  return manifest;
}

function check(context, manifest, bodyHash, signature, facts) {
  const { author } = facts;
  const place = context.kind === bodyLabel(facts.kind) && same(context.hub, facts.hub) && same(context.record, facts.record);
  if (!place) throw new Refused("moved from another record");
  const [revision, readers] = facts.at_least;
  const older = context.revision === revision ? manifest.revision < readers : context.revision < revision;
  if (older) throw new Refused("an older state");
  if (!same(context.author, author.user) || !same(context.device, author.device)) throw new Refused("by another author");
  const strict = { zip215: false };
  const signed = headerSigned(context.bytes, context.author, bodyHash);
  if (!ed25519.verify(signature, signed, author.key, strict)) throw new Refused("the author did not sign this");
  const may = (user) => facts.allowed.some((allowed) => same(allowed, user));
  const signers = [author, ...facts.signers.filter((signer) => may(signer.user))];
  const signer = signers.find((known) => same(known.device, manifest.signer));
  if (!signer) throw new Refused("the manifest is signed by nobody who may");
  const list = manifestSigned(context.bytes, manifest.unsigned);
  if (!ed25519.verify(manifest.signature, list, signer.key, strict)) throw new Refused("the manifest was altered");
  if (!manifest.entries.every((entry) => may(entry.user))) throw new Refused("a reader who may not be");
  return sha256(signed);
}

function unbox(key, bound, box) {
  try {
    return xchacha20poly1305(key, box.subarray(0, 24), bound).decrypt(box.subarray(24));
  } catch {
    throw new Refused("a box does not open");
  }
}

// From the per-user key to the items key, and from that to the record's.
function openOwnWrap(entry, opener, context, commitment) {
  const generation = concatBytes(entry.user, integer(entry.generation, 4));
  const sealed = opener.items_key;
  if (!same(sealed.subarray(0, 25), concatBytes(text.encode("HLIK"), integer(1, 1), generation))) throw new Refused("another key is needed");
  const symmetric = hkdf(sha256, opener.seed, undefined, bind("hl/v1/puk/puk-sym", generation), 32);
  const items = unbox(symmetric, bind("hl/v1/puk/items-key-wrap", generation), sealed.subarray(25));
  const bound = concatBytes(generation, context.record, integer(context.revision, 4), vector(commitment));
  return unbox(items, bind("hl/v1/puk/items-cek-wrap", bound), entry.wrap);
}

async function openWrap(entry, opener, context, commitment) {
  if (entry.kind === 1 && opener.items_key) return openOwnWrap(entry, opener, context, commitment);
  if (entry.kind !== 0 || entry.generation !== opener.generation) throw new Refused("another key is needed");
  const recipientKey = await suite.kem.deserializePrivateKey(opener.secret);
  const info = wrapInfo(context.bytes, commitment, entry.user, entry.generation);
  try {
    const recipient = await suite.createRecipientContext({ recipientKey, enc: entry.wrap.slice(0, 32), info });
    return new Uint8Array(await recipient.open(entry.wrap.slice(32)));
  } catch {
    throw new Refused("the key of this record does not open");
  }
}

async function openRecord(facts) {
  const source = new Input(facts.sealed);
  const context = readContext(source);
  const bodyHash = source.take(32);
  const signature = source.take(64);
  const manifest = readManifest(source);
  const body = source.data.subarray(source.at);
  const revisionHash = check(context, manifest, bodyHash, signature, facts);
  const { opener } = facts;
  const entry = manifest.entries.find((candidate) => same(candidate.user, opener.user));
  if (!entry) throw new Refused("not sealed to this person");
  const key = await openWrap(entry, opener, context, manifest.commitment);
  if (!same(body.subarray(24, 56), manifest.commitment) || !same(sha256(body), bodyHash)) throw new Refused("the body is another one");
  const words = openBody(body, key, bind(context.kind, context.bytes));
  const position = [context.revision, manifest.revision];
  return { text: words, position, parent: context.parent, revision_hash: revisionHash, stale: manifest.stale };
}

async function sealRecord(facts) {
  const { author } = facts;
  const context = concatBytes(
    text.encode("HLRC"), new Uint8Array([1, 1]), vector(text.encode(bodyLabel(facts.kind))), facts.hub, facts.record,
    integer(facts.revision, 4), facts.parent, author.user, author.device,
  );
  const key = randomBytes(32);
  const body = sealBody(facts.text, key, bind(bodyLabel(facts.kind), context));
  const commitment = body.subarray(24, 56);
  const readers = facts.readers.toSorted((one, other) => (bytesToHex(one.user) < bytesToHex(other.user) ? -1 : 1));
  const parts = [commitment, integer(1, 4), new Uint8Array(32), author.device, integer(0, 1), integer(readers.length, 1)];
  for (const reader of readers) {
    const recipientPublicKey = await suite.kem.deserializePublicKey(reader.key);
    const info = wrapInfo(context, commitment, reader.user, reader.generation);
    const sender = await suite.createSenderContext({ recipientPublicKey, info });
    const sealed = new Uint8Array(await sender.seal(key));
    parts.push(reader.user, integer(reader.generation, 4), integer(0, 1), new Uint8Array(sender.enc), sealed);
  }
  const unsigned = concatBytes(...parts);
  const bodyHash = sha256(body);
  const header = ed25519.sign(headerSigned(context, author.user, bodyHash), author.seed);
  const list = ed25519.sign(manifestSigned(context, unsigned), author.seed);
  return { sealed: concatBytes(context, bodyHash, header, unsigned, list, body) };
}

// Strings are bytes, but for the kind.
const fromJson = (name, value) => (typeof value === "string" && name !== "kind" ? hexToBytes(value) : value);
const toJson = (_, value) => (value instanceof Uint8Array ? bytesToHex(value) : value);

const pieces = [];
for await (const piece of process.stdin) pieces.push(piece);
const facts = JSON.parse(Buffer.concat(pieces).toString(), fromJson);
try {
  const action = { open: openRecord, seal: sealRecord }[process.argv[2]];
  process.stdout.write(JSON.stringify(await action(facts), toJson));
} catch (refusal) {
  if (!(refusal instanceof Refused)) throw refusal;
  process.stderr.write(`refused: ${refusal.message}`);
  process.exitCode = 1;
}
