// Coming in, locking, and coming back, in a real browser at the real box.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Box, eventually } from './box.mjs';
import { Device, savePaper } from './browser.mjs';

const PIN = '480213-Lerche';
const SHOTS = process.env.SHOTS;
let box;
let device;
/** A second window, opened before this browser was a device. */
let other;

const shot = (name) => SHOTS && device.page.screenshot({ path: `${SHOTS}/${name}.png` });

before(async () => {
  box = await Box.start();
  device = await Device.open();
});
after(async () => {
  await device?.close();
  await box?.stop();
});

test('whatever view comes, the focus is at its heading', async () => {
  await device.page.goto(box.origin);
  await device.isAt('Welcome');
  const ways = {
    'I have a code or an invitation': 'Come in with a code or an invitation',
    'I am in already, with another device': 'Make this browser one of your devices',
    'I have my recovery key': 'Come back with your recovery key',
  };
  for (const [way, title] of Object.entries(ways)) {
    await device.button(way).focus();
    await device.page.keyboard.press('Enter');
    await device.isAt(title);
    await device.button('Back').click();
    await device.isAt('Welcome');
  }
});

test('the first admin comes in with the printed code, and not without a way back in', async () => {
  const { page } = device;
  await page.goto(box.origin);
  await device.sees('Welcome');
  await device.isAccessible('the entrance');
  await shot('1-entrance');
  await device.button('I have a code or an invitation').click();
  await device.field('Code or invitation link').fill('nonsense');
  await device.field('What others call you').fill('Amsel');
  await device.choosePin(PIN);
  await device.button('Continue').click();
  await page.getByText('This is neither a code nor an invitation link.').waitFor();
  await device.field('Code or invitation link').fill(await box.code());
  await device.choosePin('Meise7');
  await device.button('Continue').click();
  await page.getByText('at least twelve characters').waitFor();
  await device.choosePin('123456');
  await device.button('Continue').click();
  await page.getByText('This PIN is too easy to guess.').waitFor();
  await device.choosePin(PIN);
  await device.isAccessible('the form');
  await shot('2-newcomer');
  await device.button('Continue').click();
  other = await device.context.newPage();
  await other.goto(box.origin);
  await other.getByRole('button', { name: 'I have my recovery key' }).click();
  await device.isAt('Save your way back in');
  await device.isAccessible('the recovery sheet');
  await shot('3-paper');
  const { recoveryKey, file } = await savePaper(device);
  await device.isAt('Hello, Amsel');
  await device.isAccessible('the first page');
  await shot('4-home');
  device.paper = { recoveryKey, file, text: readFileSync(file, 'utf8') };
  assert.ok(!device.paper.text.includes(recoveryKey));
  assert.deepEqual(device.complaints, []);
});

test('so it is for what is done with devices, and for the lock', async () => {
  for (const what of ['Link a device', 'Change the PIN', 'Keys of the server']) {
    await device.button(what).click();
    await device.isAt(what);
    await device.button(what === 'Keys of the server' ? 'Done' : 'Back').click();
    await device.isAt('Your devices');
  }
  await device.button('Lock').click();
  await device.isAt('This device is locked');
  await device.unlock(PIN);
  await device.isAt('Hello, Amsel');
});

test('a window that was opened before brings no second device over this one', async () => {
  await other.getByLabel('Your id', { exact: true }).fill('0'.repeat(32));
  await other.getByLabel('Recovery key', { exact: true }).fill('0000-0000');
  await other.getByLabel('New PIN or passphrase', { exact: true }).fill('615704-Kranich');
  await other.getByLabel('The same again', { exact: true }).fill('615704-Kranich');
  await other.getByRole('button', { name: 'Continue', exact: true }).click();
  await other.getByText('Another window has made this browser one of your devices.').waitFor();
  await other.getByLabel('PIN or passphrase', { exact: true }).fill(PIN);
  await other.getByRole('button', { name: 'Unlock', exact: true }).click();
  await other.getByRole('heading', { name: 'Hello, Amsel', exact: true }).waitFor();
});
