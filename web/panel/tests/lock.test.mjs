// A device that locks, and what a person can do until it is unlocked (AUTH-07, 08, 10, 11, 14).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Box, eventually } from './box.mjs';
import { Device, savePaper } from './browser.mjs';

const PIN = '480213-Lerche';
const MINUTE_MS = 60_000;
let box;
let hub;
let device;

const lockedBy = () => device.page.getByTestId('locked-by').innerText();
/** The workers that hold keys. */
const withKeys = () =>
  device.page.workers().filter((worker) => worker.url().includes('/vault.worker'));

before(async () => {
  box = await Box.start('idle_minutes = 5\nunlocked_hours = 1');
  hub = await box.admin();
  device = await Device.open();
  await device.page.clock.install();
  await device.page.goto(box.invite(hub));
  await device.sees('You are invited');
  await device.field('What others call you').fill('Amsel');
  await device.choosePin(PIN);
  await device.button('Continue').click();
  await savePaper(device);
  await device.sees('Hello, Amsel');
  box.person('admin', 'admit', hub);
});
after(async () => {
  await device?.close();
  await box?.stop();
});

test('locked by hand: the keys are gone, shifts are still to be seen, notes are not asked for', async () => {
  const { page } = device;
  assert.equal(withKeys().length, 1);
  await device.button('Lock').click();
  await device.sees('This device is locked');
  assert.equal(await lockedBy(), 'You have locked it.');
  await eventually('the end of the worker with the keys', () => withKeys().length === 0);
  await page.getByText('night', { exact: true }).waitFor();
  await page.getByText('Mon, Tue, Wed, Thu, Fri, 20:00 to 23:30').waitFor();
  assert.equal(
    await page.getByText('Amsel').count(),
    0,
    'nothing that was sealed is on the screen',
  );
  await device.isAccessible('the locked device');
});

test('a wrong PIN says how many tries are left, the right one opens', async () => {
  const { page } = device;
  await device.unlock('480213-Meise');
  await page.getByText('That is not the PIN. 9 tries are left.').waitFor();
  assert.equal(await device.field('PIN or passphrase').inputValue(), '', 'it is not left standing');
  await eventually('the right PIN to be taken', async () => {
    await device.unlock(PIN);
    const hello = page.getByRole('heading', { name: 'Hello, Amsel' });
    return hello.waitFor({ timeout: 3000 }).then(
      () => true,
      () => false,
    );
  });
  await page.getByText('night', { exact: true }).waitFor();
});

test('where unlocking stops half-way, no keys are left open', async () => {
  const { page, context } = device;
  await device.button('Lock').click();
  await page.route('**/api/v1/me/items-keys', (route) => route.abort());
  await device.unlock(PIN);
  await page.getByText('The server does not answer.').waitFor();
  assert.deepEqual(withKeys(), []);
  await page.unroute('**/api/v1/me/items-keys');
  await context.setOffline(true);
  await device.unlock(PIN);
  await page.getByText('A part of the panel could not be loaded.').waitFor();
  await context.setOffline(false);
  assert.deepEqual(withKeys(), []);
  await device.unlock(PIN);
  await device.sees('Hello, Amsel');
});

test('who is away is asked, stays by one key, and is locked out when nobody answers', async () => {
  const { page } = device;
  await page.clock.fastForward(4 * MINUTE_MS + 1000);
  await device.sees('Are you still there?');
  await page.getByText(/^It locks in 5\d seconds\.$/).waitFor();
  await device.isAccessible('the warning');
  await page.keyboard.press('Enter');
  await page.getByRole('alertdialog').waitFor({ state: 'hidden' });
  await page.clock.fastForward(2 * MINUTE_MS);
  assert.ok(await page.getByRole('heading', { name: 'Hello, Amsel' }).isVisible());
  await page.clock.fastForward(2 * MINUTE_MS + 30_000);
  await device.sees('Are you still there?');
  await page.clock.fastForward(31_000);
  await device.sees('This device is locked');
  assert.equal(await lockedBy(), 'Nobody used it for a while, so it has locked itself.');
  await eventually('the end of the worker with the keys', () => withKeys().length === 0);
});

test('however busy, the PIN is asked for after the longest time', async () => {
  const { page } = device;
  await device.unlock(PIN);
  await device.sees('Hello, Amsel');
  for (let minutes = 0; minutes < 59; minutes += 1) {
    await page.clock.fastForward(MINUTE_MS);
    await page.keyboard.press('Shift');
  }
  await device.sees('This device was open for long');
  await page.clock.fastForward(MINUTE_MS);
  await device.sees('This device is locked');
  assert.match(await lockedBy(), /^It was open for as long as this hotline allows/);
});

test('a login that was ended elsewhere locks it, and the PIN begins another', async () => {
  const { page } = device;
  await device.unlock(PIN);
  await device.sees('Hello, Amsel');
  const user = await page.evaluate(
    () =>
      new Promise((done) => {
        const opening = indexedDB.open('centralita');
        opening.onsuccess = () => {
          const store = opening.result.transaction('device').objectStore('device');
          const asked = store.get('device');
          asked.onsuccess = () => done(asked.result.user);
        };
      }),
  );
  assert.match(user, /^[0-9a-f]{32}$/);
  box.person('admin', 'active', user, 'false');
  // At once: nobody touches anything here.
  await device.sees('This device is locked');
  assert.match(await lockedBy(), /^Your login has ended.*an admin closed your account/);
  await device.unlock(PIN);
  await page
    .getByText(/an admin closed your account\. Ask an admin|your account is closed/)
    .waitFor();
  box.person('admin', 'active', user, 'true');
  await device.unlock(PIN);
  await device.sees('Hello, Amsel');
});

test('whoever is logged out while it is locked sees nothing more until they unlock it', async () => {
  const { page } = device;
  await device.button('Lock').click();
  await device.sees('What you can see while it is locked');
  const logins = () => Number(box.sql('SELECT count(*) FROM session'));
  const before = logins();
  await device.button('Log out').click();
  await page.getByText('night', { exact: true }).waitFor({ state: 'detached' });
  assert.equal(logins(), before - 1);
  await device.unlock(PIN);
  await device.sees('Hello, Amsel');
});

test('a browser that was closed opens with the PIN alone', async () => {
  await device.restart();
  await device.page.goto(box.origin);
  await device.sees('This device is locked');
  assert.equal(
    await device.page.getByText('night', { exact: true }).count(),
    0,
    'nobody is logged in',
  );
  await device.unlock(PIN);
  await device.sees('Hello, Amsel');
});

test('out of sight it locks, after a moment and not before', async () => {
  await device.restart({ natural: true });
  const { page, context } = device;
  const sight = (state) =>
    eventually(state, async () => (await page.evaluate(() => document.visibilityState)) === state);
  await page.clock.install();
  await page.goto(box.origin);
  await device.unlock(PIN);
  await device.sees('Hello, Amsel');
  const other = await context.newPage();
  await sight('hidden');
  await page.clock.fastForward(30_000);
  await page.bringToFront();
  await sight('visible');
  await page.clock.fastForward(MINUTE_MS);
  assert.ok(await page.getByRole('heading', { name: 'Hello, Amsel' }).isVisible());
  await other.bringToFront();
  await sight('hidden');
  await page.clock.fastForward(MINUTE_MS);
  await device.page.getByTestId('locked-by').waitFor();
  assert.equal(await lockedBy(), 'This window was out of sight, so it has locked itself.');
  assert.deepEqual(withKeys(), []);
});
