// Passkeys in this browser (WebAuthn Level 3): made for the server, and asked for the secret that
// the `prf` extension gives, which opens a vault of its own in place of the PIN.
import { fromBlob } from './blob';
import { Failure } from './failure';

/** A passkey's answer: what the server checks, and what opens the vault. */
export interface Answer {
  credential: Uint8Array;
  /** The JSON that the server takes. */
  json: string;
  /** 32 bytes, of this passkey and this vault; nothing where the passkey has no such secret. */
  secret: Uint8Array | undefined;
}

interface Options {
  publicKey: PublicKeyCredentialCreationOptionsJSON;
}

const secretFor = (input: Uint8Array): AuthenticationExtensionsClientInputs => ({
  prf: { eval: { first: input as Uint8Array<ArrayBuffer> } },
});

/** Makes a passkey. `options` is the server's JSON, `input` names the vault. */
export async function make(options: string, input: Uint8Array): Promise<Answer> {
  const { publicKey } = JSON.parse(options) as Options;
  const asked = PublicKeyCredential.parseCreationOptionsFromJSON(publicKey);
  asked.extensions = { ...asked.extensions, ...secretFor(input) };
  // Only one that can be asked by name on another day is of use here.
  const made = await ask(() => navigator.credentials.create({ publicKey: asked }));
  const answer = answerOf(made);
  if (answer.secret) return answer;
  // Most passkeys do not give the secret while they are being made.
  const { secret } = await use([answer.credential], input);
  return { ...answer, secret };
}

/** Asks one of these passkeys for its secret. */
export async function use(credentials: Uint8Array[], input: Uint8Array): Promise<Answer> {
  const publicKey: PublicKeyCredentialRequestOptions = {
    // Nobody checks the signature: the secret is what counts, and only the passkey has it.
    challenge: crypto.getRandomValues(new Uint8Array(32)),
    allowCredentials: credentials.map((id) => ({
      id: id as Uint8Array<ArrayBuffer>,
      type: 'public-key',
    })),
    userVerification: 'required',
    extensions: secretFor(input),
  };
  return answerOf(await ask(() => navigator.credentials.get({ publicKey })));
}

/** Whether this browser knows passkeys at all. */
export const known = (): boolean =>
  'PublicKeyCredential' in window && 'parseCreationOptionsFromJSON' in PublicKeyCredential;

async function ask(how: () => Promise<Credential | null>): Promise<PublicKeyCredential> {
  try {
    const answer = await how();
    if (answer instanceof PublicKeyCredential) return answer;
  } catch {
    // The browser does not tell pages why: refused, gone, or too late.
  }
  throw new Failure('no-passkey', 'The passkey did not answer.');
}

function answerOf(credential: PublicKeyCredential): Answer {
  const { prf } = credential.getClientExtensionResults();
  const json = credential.toJSON() as { clientExtensionResults: object };
  // The secret is for this page; the server gets the rest.
  const shown = { ...json, clientExtensionResults: {} };
  return {
    credential: new Uint8Array(credential.rawId),
    json: JSON.stringify(shown),
    secret: prf?.results && new Uint8Array(prf.results.first as ArrayBuffer),
  };
}

/** The credentials that the server names. */
export const credentials = (listed: { credential: string }[]): Uint8Array[] =>
  listed.map(({ credential }) => fromBlob(credential));
