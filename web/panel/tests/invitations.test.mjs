// Links that are broken, and links that somebody opens who is in already (HUB-02).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Box, eventually } from './box.mjs';
import { Device, savePaper } from './browser.mjs';

const PIN = '480213-Lerche';
const BROKEN = 'This link is broken: a part of it is missing.';
let box;
let admin;
let volunteer;

async function comesIn(device, name) {
  await device.field('What others call you').fill(name);
  await device.choosePin(PIN);
  await device.button('Continue').click();
  await savePaper(device);
  await device.sees(`Hello, ${name}`);
}

/** The part of the page that is about one hotline. */
const hub = (device, name) =>
  device.page
    .getByTestId('hub')
    .filter({ has: device.page.getByRole('heading', { name, exact: true }) });

async function invites(name) {
  await hub(admin, name).getByRole('button', { name: 'Make an invitation' }).click();
  return hub(admin, name).getByTestId('link').innerText();
}

before(async () => {
  box = await Box.start();
  box.apply(`
[[hub]]
id = "day"
name = "Day line"
numbers = ["+15550101"]
language = "en"
time_zone = "UTC"
fallback = ["ana"]
voicemail_keys = ["${box.reader}"]
`);
  [admin, volunteer] = [await Device.open(), await Device.open()];
  await admin.page.goto(await box.link());
  await comesIn(admin, 'Amsel');
  for (const name of ['night', 'day']) {
    await hub(admin, name).getByRole('button', { name: 'Begin it, as its first admin' }).click();
    await hub(admin, name).getByText('Amsel (admin)').waitFor();
  }
});
after(async () => {
  await admin?.close();
  await volunteer?.close();
  await box?.stop();
});

test('a link of which a part is missing says so, in the address and where it is typed', async () => {
  const { page } = volunteer;
  const link = await invites('night');
  await page.goto(link.slice(0, link.lastIndexOf('~')));
  await volunteer.sees('Welcome');
  await page.getByText(BROKEN).waitFor();
  assert.equal(new URL(page.url()).hash, '');
  await volunteer.isAccessible('a broken link');
  await volunteer.picture('broken');
  await volunteer.button('I have a code or an invitation').click();
  await volunteer.field('Code or invitation link').fill(link.slice(0, 60));
  await volunteer.field('What others call you').fill('Dohle');
  await volunteer.choosePin(PIN);
  await volunteer.button('Continue').click();
  await page.getByText(BROKEN).waitFor();
});

test('a whole one says to what and as what, and stays when the page is loaded again', async () => {
  const { page } = volunteer;
  await page.goto(await hub(admin, 'night').getByTestId('link').innerText());
  const offer = page.getByText('You are invited to “night” (as: volunteer).');
  await offer.waitFor();
  assert.equal(new URL(page.url()).hash, '', 'the code leaves the address at once');
  await page.reload();
  await offer.waitFor();
  await volunteer.picture('invited');
  const inputs = await page.locator('input').all();
  for (const input of inputs) {
    assert.match(await input.getAttribute('autocomplete'), /^(off|one-time-code)$/);
  }
  await comesIn(volunteer, 'Dohle');
  await admin.button('Take them in').click();
  await hub(volunteer, 'night').waitFor();
  await page.reload();
  await volunteer.sees('This device is locked');
  assert.equal(await page.getByText('You have opened an invitation.').count(), 0);
});

test('who is in already is asked whether to join, after unlocking', async () => {
  const { page } = volunteer;
  const link = await invites('day');
  // In a window that shows the panel already, nothing is loaded.
  await page.evaluate((to) => (location.href = to), link);
  await page.getByText('You have opened an invitation. Unlock this device to see it.').waitFor();
  assert.equal(new URL(page.url()).hash, '');
  await volunteer.picture('invited-locked');
  await volunteer.unlock(PIN);
  await page.getByText('You are invited to “day” (as: volunteer).').waitFor();
  await volunteer.isAccessible('the question whether to join');
  await volunteer.picture('invited-open');
  await volunteer.button('Join').click();
  await page.getByText('As soon as an admin takes you in').waitFor();
  await volunteer.picture('joined');
  await page.getByTestId('invited').getByRole('button', { name: 'Done' }).click();
  const admit = hub(admin, 'day').getByRole('button', { name: 'Take them in' });
  await admit.click();
  await hub(volunteer, 'day').waitFor();
  await hub(admin, 'day').getByText('Dohle (volunteer)').waitFor();
});

test('who belongs to the hotline already is told, and the code is not used', async () => {
  const { page } = volunteer;
  const link = await invites('day');
  await page.evaluate((to) => (location.href = to), link);
  await page.getByText('You belong to this hotline already.').waitFor();
  assert.equal(await volunteer.button('Join').count(), 0);
  await page.getByTestId('invited').getByRole('button', { name: 'Done' }).click();
  await page.getByTestId('invited').waitFor({ state: 'detached' });
});

test('one change makes a panel ask once for what several of its parts show', async () => {
  const { page } = admin;
  const asked = new Map();
  admin.context.on('request', (request) => {
    const { pathname } = new URL(request.url());
    if (pathname.startsWith('/api/')) asked.set(pathname, (asked.get(pathname) ?? 0) + 1);
  });
  // While the server was away, anything may have changed.
  await box.restart();
  await eventually('the panel to load everything', () => asked.get('/api/v1/me/devices'));
  await page.waitForTimeout(5000);
  const total = [...asked.values()].reduce((sum, times) => sum + times, 0);
  const refreshes = asked.get('/api/v1/hubs');
  console.log(`${total} requests in ${refreshes} refreshes of two hotlines`);
  assert.equal(asked.get('/api/v1/me/sigchain'), refreshes);
  assert.equal(asked.get('/api/v1/me/items-keys'), refreshes);
});
