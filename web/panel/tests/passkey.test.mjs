// A passkey in place of the PIN (AUTH-04, 05, 06), with the browser's own authenticator.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Box } from './box.mjs';
import { Device, savePaper } from './browser.mjs';

const PIN = '480213-Lerche';
const NEW_PIN = '480213-Zeisig';
let box;
let device;
let authenticators;
let key;

/** One that is built into the device, or a security key; with the secret that opens vaults, or not. */
async function plugIn({ transport, hasPrf }) {
  const options = {
    protocol: 'ctap2',
    ctap2Version: 'ctap2_1',
    transport,
    hasResidentKey: true,
    hasUserVerification: true,
    isUserVerified: true,
    automaticPresenceSimulation: true,
    hasPrf,
  };
  return (await authenticators.send('WebAuthn.addVirtualAuthenticator', { options }))
    .authenticatorId;
}

const pullOut = (authenticatorId) =>
  authenticators.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId });

before(async () => {
  // Passkeys belong to a host name.
  box = await Box.start('', 'localhost');
  device = await Device.open();
  const { page, context } = device;
  authenticators = await context.newCDPSession(page);
  await authenticators.send('WebAuthn.enable');
  await page.goto(box.origin);
  await device.button('I have a code or an invitation').click();
  await device.field('Code or invitation link').fill(await box.code());
  await device.field('What others call you').fill('Amsel');
  await device.choosePin(PIN);
  await device.button('Continue').click();
  await savePaper(device);
  await device.sees('Hello, Amsel');
});
after(async () => {
  await device?.close();
  await box?.stop();
});

test('a passkey without the secret is told of, and changes nothing', async () => {
  const { page } = device;
  const old = await plugIn({ transport: 'internal', hasPrf: false });
  await device.button('Passkey').click();
  await device.isAccessible('the passkeys');
  await device.field('What you call it').fill('old key');
  await device.button('Make a passkey').click();
  await page.getByText('This passkey cannot open a device').waitFor();
  await device.button('Back').click();
  await pullOut(old);
  await device.button('Lock').click();
  await device.sees('This device is locked');
  assert.equal(await device.button('Unlock with the passkey').count(), 0);
  await device.unlock(PIN);
  await device.sees('Hello, Amsel');
});

/** Makes a passkey, and unlocks with it. */
async function makes(name) {
  await device.button('Passkey').click();
  await device.field('What you call it').fill(name);
  await device.button('Make a passkey').click();
  await device.page.getByText('This device opens with your passkey.').waitFor();
  await device.button('Done').click();
  await device.button('Lock').click();
  await device.button('Unlock with the passkey').click();
  await device.sees('Hello, Amsel');
}

test('a security key opens the device in place of the PIN', async () => {
  const roaming = await plugIn({ transport: 'usb', hasPrf: true });
  await makes('the key on my ring');
  // Without it, the PIN goes on working.
  await pullOut(roaming);
  await device.button('Lock').click();
  await device.unlock(PIN);
  await device.button('Passkey').click();
  await device.button('Only my PIN, from now on').click();
  await device.button('Only my PIN, from now on').waitFor({ state: 'detached' });
  await device.button('Back').click();
});

test('a passkey of the device opens it in place of the PIN', async () => {
  const { page } = device;
  key = await plugIn({ transport: 'internal', hasPrf: true });
  await makes('my phone');
  await page.reload();
  await device.button('Unlock with the passkey').click();
  await device.sees('Hello, Amsel');
});

test('an older window that writes down a choice of its own keeps the new PIN of this one', async () => {
  const { page, context } = device;
  const older = await context.newPage();
  await older.goto(box.origin);
  const button = (name) => older.getByRole('button', { name, exact: true });
  await older.getByLabel('PIN or passphrase', { exact: true }).fill(PIN);
  await button('Unlock').click();
  await button('Passkey').click();
  await device.opens('Change the PIN');
  await device.choosePin(NEW_PIN);
  await device.button('Change the PIN').click();
  await page.getByText('The new PIN is in force.').waitFor();
  await button('Only my PIN, from now on').click();
  await button('Only my PIN, from now on').waitFor({ state: 'detached' });
  await older.close();
  await page.reload();
  await device.unlock(NEW_PIN);
  await device.sees('Hello, Amsel');
  // As it was, for what comes next.
  await device.button('Passkey').click();
  await device.button('Use a passkey that I have').click();
  await page.getByText('This device opens with your passkey.').waitFor();
  await device.button('Done').click();
});

test('whoever wants the PIN alone has it, and can use the passkey again', async () => {
  const { page } = device;
  await device.button('Passkey').click();
  await device.button('Only my PIN, from now on').click();
  await device.button('Only my PIN, from now on').waitFor({ state: 'detached' });
  await device.button('Back').click();
  await device.button('Lock').click();
  await device.sees('This device is locked');
  assert.equal(await device.button('Unlock with the passkey').count(), 0);
  await device.unlock(NEW_PIN);
  await device.button('Passkey').click();
  await device.button('Use a passkey that I have').click();
  await page.getByText('This device opens with your passkey.').waitFor();
  await device.button('Lock').click();
  await device.button('Unlock with the passkey').click();
  await device.sees('Hello, Amsel');
});

test('turned off at the hotline, none can be made, and the one that opens the device still does', async () => {
  const { page } = device;
  await device.button('Passkey').click();
  await device.field('What you call it').fill('one more');
  const said = box.apply('passkeys = "off"');
  assert.match(said, /web: passkeys optional → off/);
  assert.doesNotMatch(said, /started again/);
  await device.button('Make a passkey').click();
  await page.getByText('This hotline has no passkeys.').waitFor();
  await device.button('Back').click();
  await device.button('Lock').click();
  await device.button('Unlock with the passkey').click();
  await device.sees('Hello, Amsel');
  await device.button('Passkey').click();
  await page.getByText('This hotline has no passkeys.').waitFor();
  assert.equal(await device.button('Make a passkey').count(), 0);
  assert.equal(await device.button('Use a passkey that I have').count(), 0);
  await device.isAccessible('a hotline without passkeys');
  await device.button('Back').click();
});

test('a passkey that does not know its person opens nothing, and the PIN does', async () => {
  const { page } = device;
  await device.button('Lock').click();
  const stranger = { authenticatorId: key, isUserVerified: false };
  await authenticators.send('WebAuthn.setUserVerified', stranger);
  await device.button('Unlock with the passkey').click();
  await page.getByText('The passkey did not answer').waitFor();
  await device.unlock(NEW_PIN);
  await device.sees('Hello, Amsel');
});

test('whoever then wants the PIN alone is offered none, also after a start, until they are on again', async () => {
  const { page } = device;
  await device.button('Passkey').click();
  await device.button('Only my PIN, from now on').click();
  await device.button('Only my PIN, from now on').waitFor({ state: 'detached' });
  await device.button('Back').click();
  assert.equal(await device.button('Passkey').count(), 0);
  await box.restart();
  await page.reload();
  const told = page.waitForResponse('**/api/v1/server');
  await device.unlock(NEW_PIN);
  assert.equal((await (await told).json()).passkeys, false);
  await device.button('Change the PIN').waitFor();
  assert.equal(await device.button('Passkey').count(), 0);
  box.apply('');
  await device.button('Lock').click();
  await device.unlock(NEW_PIN);
  await device.button('Passkey').waitFor();
});

test('where wrong PINs destroyed the share, the passkey goes on, and who wants a PIN is told how', async () => {
  const { page } = device;
  await pullOut(key);
  await plugIn({ transport: 'internal', hasPrf: true });
  await makes('my new phone');
  // As the tenth wrong try leaves it (`HLSS` with state 0), half a day later.
  const destroyed = "cast(substr(body, 1, 21) || x'000a0000000000000000' as blob)";
  box.sql(`UPDATE vault_share SET body = ${destroyed}`);
  await device.button('Lock').click();
  await device.unlock(NEW_PIN);
  await page.getByText('Too many wrong tries').waitFor();
  await device.button('Unlock with the passkey').click();
  await device.sees('Hello, Amsel');
  const generations = () => box.sql('SELECT count(*) FROM items_key');
  const before = generations();
  await device.opens('Change the PIN');
  await device.choosePin(PIN);
  await device.button('Change the PIN').click();
  await page.getByText('the server takes no PIN for this device any more').waitFor();
  assert.equal(generations(), before, 'nothing changes half-way');
});
