// A member of groups over ts-mls. Takes commands as JSON lines on standard input, and answers
// each with a JSON line; bytes are hexadecimal.

import { createInterface } from "node:readline";
import {
  createApplicationMessage,
  createCommit,
  createGroup,
  decodeMlsMessage,
  defaultCapabilities,
  emptyPskIndex,
  encodeMlsMessage,
  generateKeyPackage,
  getCiphersuiteFromName,
  getCiphersuiteImpl,
  joinGroup,
  mlsExporter,
  processPrivateMessage,
} from "ts-mls";

const suite = await getCiphersuiteImpl(
  getCiphersuiteFromName("MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519"),
);
const version = "mls10";
const hex = (bytes) => Buffer.from(bytes).toString("hex");
const unhex = (text) => new Uint8Array(Buffer.from(text, "hex"));

const HOUR_S = 3_600n;
const now = BigInt(Math.floor(Date.now() / 1_000));
const lifetime = { notBefore: now - HOUR_S, notAfter: now + 24n * HOUR_S };

let own;
let group;

function read(text, wireformat) {
  const [message] = decodeMlsMessage(unhex(text), 0);
  if (message.wireformat !== wireformat) throw new Error(`a ${message.wireformat}`);
  return message;
}

async function commit(extraProposals) {
  const context = { state: group, cipherSuite: suite };
  const made = await createCommit(context, {
    extraProposals,
    ratchetTreeExtension: true,
  });
  group = made.newState;
  const welcome = made.welcome && { welcome: made.welcome, wireformat: "mls_welcome", version };
  return {
    commit: hex(encodeMlsMessage(made.commit)),
    welcome: welcome && hex(encodeMlsMessage(welcome)),
  };
}

const commands = {
  async introduce({ identity }) {
    const credential = { credentialType: "basic", identity: unhex(identity) };
    own = await generateKeyPackage(credential, defaultCapabilities(), lifetime, [], suite);
    const keyPackage = own.publicPackage;
    return {
      key_package: hex(
        encodeMlsMessage({ keyPackage, wireformat: "mls_key_package", version })),
      sign_key: hex(keyPackage.leafNode.signaturePublicKey),
    };
  },

  async create({ id }) {
    group = await createGroup(unhex(id), own.publicPackage, own.privatePackage, [], suite);
    return {};
  },

  async join({ welcome }) {
    const read_ = read(welcome, "mls_welcome");
    group = await joinGroup(
      read_.welcome, own.publicPackage, own.privatePackage, emptyPskIndex, suite);
    return {};
  },

  async add({ key_packages }) {
    const packages = key_packages.map((text) => read(text, "mls_key_package"));
    return commit(packages.map(({ keyPackage }) => ({ proposalType: "add", add: { keyPackage } })));
  },

  async remove({ place }) {
    return commit([{ proposalType: "remove", remove: { removed: place } }]);
  },

  // Changes the group's extensions, of which none are used, under the cover of a removal.
  async extend({ place }) {
    const groupContextExtensions = { extensions: [] };
    return commit([
      { proposalType: "group_context_extensions", groupContextExtensions },
      { proposalType: "remove", remove: { removed: place } },
    ]);
  },

  async say({ text }) {
    const made = await createApplicationMessage(group, unhex(text), suite);
    group = made.newState;
    const { privateMessage } = made;
    const wireformat = "mls_private_message";
    return { message: hex(encodeMlsMessage({ privateMessage, wireformat, version })) };
  },

  async hear({ message }) {
    const { privateMessage } = read(message, "mls_private_message");
    const heard = await processPrivateMessage(group, privateMessage, emptyPskIndex, suite);
    group = heard.newState;
    return heard.kind === "newState" ? { changed: true } : { text: hex(heard.message) };
  },

  async export({ label, context }) {
    const { exporterSecret } = group.keySchedule;
    const secret = await mlsExporter(exporterSecret, label, unhex(context), 32, suite);
    // Leaves are every other node, from the first.
    const leaves = group.ratchetTree.filter((node, place) => place % 2 === 0 && node);
    const members = leaves.map(({ leaf }) => hex(leaf.credential.identity));
    return { secret: hex(secret), epoch: Number(group.groupContext.epoch), members };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  let answer;
  try {
    answer = await commands[request.do](request);
  } catch (error) {
    answer = { error: String(error) };
  }
  console.log(JSON.stringify(answer));
}
