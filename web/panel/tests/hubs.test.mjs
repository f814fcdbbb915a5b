// A hotline begins in the panel: its first admin, an invitation, and who uses it (AUTH-15, HUB-01).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Box, eventually } from './box.mjs';
import { Device, savePaper } from './browser.mjs';

const PIN = '480213-Lerche';
let box;
let admin;
let volunteer;
let used;

before(async () => {
  box = await Box.start();
  [admin, volunteer] = [await Device.open(), await Device.open()];
});
after(async () => {
  await admin?.close();
  await volunteer?.close();
  await box?.stop();
});

async function comesIn(device, name) {
  await device.field('What others call you').fill(name);
  await device.choosePin(PIN);
  await device.button('Continue').click();
  await savePaper(device);
  await device.sees(`Hello, ${name}`);
}

test('the first admin comes in by the printed link, which another server cannot use', async () => {
  const { page } = admin;
  const link = await box.link();
  const [begin, key] = link.split('~');
  // The box is somebody else than the link says: the last letters of its key are others.
  const others = decodeURIComponent(key).replace(/.{8}(=*)$/m, 'AAAAAAAA$1');
  await page.goto(`${begin}~${encodeURIComponent(others)}`);
  await admin.sees('You are the first admin');
  await admin.field('What others call you').fill('Amsel');
  await admin.choosePin(PIN);
  await admin.button('Continue').click();
  await page.getByText('This is not the server of your link').waitFor();
  await page.goto('about:blank');
  await page.goto(link);
  await admin.sees('You are the first admin');
  await admin.isAccessible('the form of the first admin');
  await comesIn(admin, 'Amsel');
  assert.equal(new URL(page.url()).hash, '', 'the code does not stay in the address');
});

test('the keys that the device knows the server by are those that its machine prints', async () => {
  await admin.opens('Keys of the server');
  await admin.page.getByText('By these keys your device knows the server').waitFor();
  await admin.isAccessible('the keys of the server');
  const shown = await admin.page.locator('dd.key').allInnerTexts();
  const printed = box.command('keys').split('\n');
  assert.deepEqual(shown, [printed.find((line) => line.includes('/keys+')).trim()]);
  await admin.button('Done').click();
});

test('who was told of no witness adds one later, and believes nothing that it does not confirm', async () => {
  const { page } = admin;
  const unwitnessed = page.getByText('Nobody outside of this server confirms its list of keys.');
  await unwitnessed.waitFor();
  const witness = await box.witness();
  const open = async () => {
    await page.reload();
    await admin.unlock(PIN);
    await admin.sees('Hello, Amsel');
    await admin.opens('Keys of the server');
  };
  await open();
  await admin.field('Key of one more witness').fill('partner.example');
  await admin.button('Add the witness').click();
  await page.getByText('This is no key of a witness.').waitFor();
  await admin.isAccessible('adding a witness');
  await admin.field('Key of one more witness').fill(witness);
  await admin.button('Add the witness').click();
  await unwitnessed.waitFor({ state: 'detached' });
  await open();
  assert.equal(await unwitnessed.count(), 0);
  assert.equal(await page.locator('dd.key').last().innerText(), witness);
  await admin.button('Done').click();

  box.partner.kill('SIGSTOP');
  await admin.button('Begin it, as its first admin').click();
  await page.getByText('The witnesses have not confirmed').waitFor();
  box.partner.kill('SIGCONT');
  await open();
  await admin.button('Done').click();
});

test('the first admin begins a hotline', async () => {
  const { page } = admin;
  await page.getByText('Mon, Tue, Wed, Thu, Fri, 20:00 to 23:30').waitFor();
  await page.getByTestId('members').getByText('Amsel (admin)').waitFor();
  await admin.isAccessible('a hotline that has begun');
});

test('somebody comes in by a link, is nobody before the admin takes them in, and then is', async () => {
  await admin.button('Make an invitation').click();
  used = await admin.page.getByTestId('link').innerText();
  const { page } = volunteer;
  await page.goto(used);
  await volunteer.sees('You are invited');
  await page.getByText(/^You are invited to “.+” \(as: volunteer\)\.$/).waitFor();
  await comesIn(volunteer, 'Dohle');
  assert.equal(new URL(page.url()).hash, '', 'the code does not stay in the address');
  await page.getByText('You belong to no hotline yet.').waitFor();
  // Nobody loads anything again here: both panels hear of it.
  await admin.page.getByText(/^Somebody has used an invitation \(volunteer, /).waitFor();
  // What was used is not passed on to anybody else.
  await admin.page.getByTestId('link').waitFor({ state: 'detached' });
  // A server that puts somebody of its own in the place of who was invited gets nobody in.
  const genuine = box.sql('SELECT hex(voucher) FROM invite WHERE voucher IS NOT NULL');
  const forged = genuine.replace(/.{2}$/, (last) => (last === '00' ? '01' : '00'));
  box.sql(`UPDATE invite SET voucher = x'${forged}' WHERE voucher IS NOT NULL`);
  await admin.button('Take them in').click();
  await admin.page.getByText('These are not the keys of whoever has the link').waitFor();
  await admin.isAccessible('somebody who is not vouched for');
  box.sql(`UPDATE invite SET voucher = x'${genuine}' WHERE voucher IS NOT NULL`);
  await admin.button('Take them in').click();
  await admin.button('Take them in').waitFor({ state: 'detached' });
  await page.getByText('Mon, Tue, Wed, Thu, Fri, 20:00 to 23:30').waitFor();
  assert.equal(
    await volunteer.button('Make an invitation').count(),
    0,
    'a volunteer invites nobody',
  );
});

test('an admin reads who it is, a member does not, and whoever leaves is off the list', async () => {
  const members = admin.page.getByTestId('members');
  // The volunteer's browser seals the name for the admins once it has seen who they are.
  await members.getByText('Dohle (volunteer)').waitFor();
  await members.getByText('Amsel (admin)').waitFor();
  await admin.isAccessible('the members');
  assert.equal(await volunteer.page.getByText('Amsel').count(), 0);
  await members.getByRole('button', { name: 'Take off the list' }).click();
  await members.getByRole('button', { name: /^Really take off the list/ }).click();
  await members.getByText('Dohle').waitFor({ state: 'detached' });
  assert.equal(await admin.button('Take them in').count(), 0, 'who has left does not wait');
  await volunteer.page.getByText('You belong to no hotline yet.').waitFor();
});

test('whoever is invited to another server than this one is told before a code is used', async () => {
  await admin.button('Make an invitation').click();
  const made = admin.page.getByTestId('link');
  await eventually('the link', async () => (await made.count()) === 1);
  const stranger = await Device.open();
  try {
    const [front, key] = (await made.innerText()).split(/~(?=[^~]*$)/);
    const others = decodeURIComponent(key).replace(/.{8}(=*)$/m, 'AAAAAAAA$1');
    await stranger.page.goto(`${front}~${encodeURIComponent(others)}`);
    await stranger.field('What others call you').fill('Elster');
    await stranger.choosePin(PIN);
    await stranger.button('Continue').click();
    await stranger.page.getByText('This is not the server of your link').waitFor();
  } finally {
    await stranger.close();
  }
});

test('a link is good once', async () => {
  const thief = await Device.open();
  try {
    await thief.page.goto(used);
    await thief.field('What others call you').fill('Elster');
    await thief.choosePin(PIN);
    await thief.button('Continue').click();
    await thief.page.getByText('This code was used, has expired, or never existed.').waitFor();
  } finally {
    await thief.close();
  }
});

test('who is cut off in the moment of coming in finds their way', async () => {
  const cut = await Device.open();
  const { page } = cut;
  try {
    await admin.button('Make an invitation').click();
    const link = admin.page.getByTestId('link');
    const before = used;
    await eventually('a new link', async () => {
      used = await link.innerText();
      return used !== before;
    });
    await page.goto(used);
    await page.route('**/api/v1/me/items-keys', (route) => route.abort());
    await cut.field('What others call you').fill('Elster');
    await cut.choosePin(PIN);
    await cut.button('Continue').click();
    await savePaper(cut);
    await page.getByText('You are in, and something broke off at the end.').waitFor();
    await page.unroute('**/api/v1/me/items-keys');
    const renewals = [];
    page.on('request', (request) => {
      const renews = request.method() === 'PUT' && request.url().endsWith('/me/sigchain');
      if (renews) renewals.push(request);
    });
    await page.goto('about:blank');
    await page.goto(box.origin);
    await cut.unlock(PIN);
    await cut.sees('Hello');
    const unshared =
      'SELECT count(*) FROM device WHERE id NOT IN (SELECT device FROM vault_share WHERE device IS NOT NULL) AND id IN (SELECT device FROM session)';
    assert.equal(box.sql(unshared), '0', 'the server counts wrong PINs for everybody who is in');
    assert.equal(renewals.length, 1, 'what was lost is made anew');
    await cut.button('Lock').click();
    await cut.unlock(PIN);
    await cut.sees('Hello');
    assert.equal(renewals.length, 1, 'and once');
  } finally {
    await cut.close();
  }
});

test('both are still believed after everything was closed', async () => {
  for (const [device, name] of [
    [admin, 'Amsel'],
    [volunteer, 'Dohle'],
  ]) {
    await device.restart();
    await device.page.goto(box.origin);
    await device.unlock(PIN);
    await device.sees(`Hello, ${name}`);
    assert.deepEqual(device.complaints, []);
  }
  await admin.button('Make an invitation').click();
  await admin.page.getByTestId('link').waitFor();
});

test('after the server was away, open panels hear of changes again', async () => {
  const link = await admin.page.getByTestId('link').innerText();
  const waiting = admin.button('Take them in');
  await waiting.first().waitFor();
  const before = await waiting.count();
  await box.restart();
  const late = await Device.open();
  try {
    await late.page.goto(link);
    await comesIn(late, 'Star');
    await eventually('one more who waits', async () => (await waiting.count()) === before + 1);
    await admin.isAccessible('somebody waits');
  } finally {
    await late.close();
  }
});
