// Two windows of one browser are one device; and what a window does where the server refuses.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Box, eventually } from './box.mjs';
import { Device, savePaper } from './browser.mjs';

const PIN = '480213-Lerche';
const MINUTE_MS = 60_000;
let box;
let one;
/** Another window of the same browser. */
let other;

const heading = (page, name) => page.getByRole('heading', { name, exact: true });
const withKeys = (page) =>
  page.workers().filter((worker) => worker.url().includes('/vault.worker'));

async function unlock(page) {
  await page.getByLabel('PIN or passphrase', { exact: true }).fill(PIN);
  await page.getByRole('button', { name: 'Unlock', exact: true }).click();
  await heading(page, 'Hello, Amsel').waitFor({ timeout: 40_000 });
}

const press = (page, name) => page.getByRole('button', { name, exact: true }).click();

async function bothLocked() {
  for (const page of [one.page, other]) {
    await heading(page, 'This device is locked').waitFor();
    await eventually('the end of the keys', () => withKeys(page).length === 0);
  }
}

before(async () => {
  box = await Box.start('idle_minutes = 5');
  one = await Device.open();
  await one.page.clock.install();
  await one.page.goto(await box.link());
  await one.field('What others call you').fill('Amsel');
  await one.choosePin(PIN);
  await press(one.page, 'Continue');
  await savePaper(one);
  await one.sees('Hello, Amsel');
  other = await one.context.newPage();
  await other.clock.install();
  await other.goto(box.origin);
  await unlock(other);
});
after(async () => {
  await one?.close();
  await box?.stop();
});

test('locked in one window, the keys of the other are gone too', async () => {
  await press(other, 'Lock');
  await bothLocked();
  assert.equal(await one.page.getByTestId('locked-by').innerText(), 'You have locked it.');
  await unlock(one.page);
  assert.deepEqual(withKeys(other), [], 'each window has its own PIN entered');
  await unlock(other);
});

test('whoever uses one window is not locked out as away by the other', async () => {
  const { page } = one;
  for (let minutes = 0; minutes < 6; minutes += 1) {
    await Promise.all([page.clock.fastForward(MINUTE_MS), other.clock.fastForward(MINUTE_MS)]);
    await page.keyboard.press('Shift');
  }
  // Had nobody been seen here, it would have locked a minute ago.
  await eventually('the sign', async () => (await other.getByRole('alertdialog').count()) === 0);
  assert.ok(await heading(other, 'Hello, Amsel').isVisible());
  assert.ok(await heading(page, 'Hello, Amsel').isVisible());
});

test('what the server refused for being too much is asked for again by itself', async () => {
  const { page } = one;
  const problem = {
    status: 429,
    contentType: 'application/problem+json',
    body: JSON.stringify({ code: 'too-many', detail: 'too many requests', retry_after_s: 1 }),
  };
  await page.route('**/api/v1/hubs', (route) => route.fulfill(problem));
  await press(page, 'Lock');
  await unlock(page);
  const refused = page.getByText('Too many tries in a short time. Wait 1 second.');
  await refused.waitFor();
  await page.unroute('**/api/v1/hubs');
  // Nobody touches anything.
  await page.getByTestId('hub').waitFor();
  await refused.waitFor({ state: 'detached' });
  await unlock(other);
});

test('a login that is ended in one window is ended in the other', async () => {
  const logins = () => Number(box.sql('SELECT count(*) FROM session'));
  assert.ok(logins() >= 2);
  await press(one.page, 'Log out');
  await bothLocked();
  await eventually('the end of all logins', () => logins() === 0);
  const looking = 'What you can see while it is locked';
  for (const page of [one.page, other]) await heading(page, looking).waitFor({ state: 'detached' });
});

test('keys that are removed in one window are gone in the other', async () => {
  await unlock(other);
  await press(one.page, 'Remove my keys from this browser');
  await press(one.page, 'Remove them');
  for (const page of [one.page, other]) {
    await heading(page, 'Welcome').waitFor();
    await eventually('the end of the keys', () => withKeys(page).length === 0);
  }
});
