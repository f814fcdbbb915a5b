// A person's devices: linked by a code to scan and one to type, given another PIN, and replaced by
// what is on paper (KEY-16 to KEY-22, AUTH-10).
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Box, eventually } from './box.mjs';
import { Device, savePaper } from './browser.mjs';

const PIN = '480213-Lerche';
const NEW_PIN = '480213-Zeisig';
const OTHER_PIN = '615704-Kranich';
const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** The list's lines of devices other than the one that shows it. */
const OTHERS = /^Device [0-9a-f]{8}, added .+, (last seen|logged out)/;
const devices = [];
let box;
let first;
let paper;

async function open(options) {
  const device = await Device.open(options);
  devices.push(device);
  return device;
}

/** The first bytes of a text in Base32. */
function beginning(text, length) {
  const bits = [...text].map((letter) => CROCKFORD.indexOf(letter).toString(2).padStart(5, '0'));
  const bytes = bits.join('').match(/.{8}/g).slice(0, length);
  return Buffer.from(bytes.map((byte) => Number.parseInt(byte, 2)));
}

/** A new device, as far as its code on the screen. */
async function asksToComeIn(device) {
  await device.page.goto(box.origin);
  await device.button('I am in already, with another device').click();
  await device.choosePin(OTHER_PIN);
  await device.button('Continue').click();
  await device.sees('On your other device, choose “Link a device”');
}

/** The person reads the digits on the new device and types them on the old one. */
async function compares(old, coming) {
  await coming.sees('Type these digits into your other device');
  const digits = await coming.page.getByTestId('digits').innerText();
  assert.match(digits, /^\d{3} \d{3}$/);
  await old.field('Digits on the new device').fill(digits);
  await old.button('Let it in').click();
  await old.page.getByText('The new device is one of yours.').waitFor();
}

/** What the browser keeps, read by a script in the page as any script there could. */
const stored = (device) =>
  device.page.evaluate(async () => {
    const opening = indexedDB.open('centralita');
    const opened = await new Promise((done) => (opening.onsuccess = () => done(opening.result)));
    const asked = opened.transaction('device').objectStore('device').get('device');
    const kept = await new Promise((done) => (asked.onsuccess = () => done(asked.result)));
    const key = kept.shareKey;
    const taken = await crypto.subtle.exportKey('raw', key).catch((error) => error.name);
    const { extractable, type } = key;
    const bytes = Array.from(kept.vault);
    return {
      names: Object.keys(kept).sort(),
      extractable,
      type,
      taken,
      vault: bytes,
      user: kept.user,
      device: kept.device,
    };
  });

before(async () => {
  box = await Box.start();
  first = await open();
  await first.page.goto(box.origin);
  await first.button('I have a code or an invitation').click();
  await first.field('Code or invitation link').fill(await box.code());
  await first.field('What others call you').fill('Amsel');
  await first.choosePin(PIN);
  await first.button('Continue').click();
  paper = await savePaper(first);
  paper.text = readFileSync(paper.file, 'utf8');
  await first.sees('Hello, Amsel');
});
after(async () => {
  for (const device of devices) await device.close();
  await box?.stop();
});

test('the browser keeps a share of the vault that no script gets out of it', async () => {
  const kept = await stored(first);
  const names = ['device', 'log', 'serverShare', 'shareKey', 'user', 'vault', 'witnesses'];
  assert.deepEqual(kept.names, names);
  assert.deepEqual(
    [kept.type, kept.extractable, kept.taken],
    ['secret', false, 'InvalidAccessError'],
  );
  const everywhere = await first.page.evaluate(() =>
    JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]),
  );
  assert.equal(everywhere, '[{},{},""]');
});

test('a second device comes in by a code that the first one sees through its camera', async () => {
  const second = await open();
  await asksToComeIn(second);
  await second.isAccessible('the code to scan');
  const picture = box.path('code.png');
  await second.page.screenshot({ path: picture });
  // A reader that is not ours sees what the format says.
  const read = execFileSync('zbarimg', ['--raw', '--quiet', picture]).toString().trim();
  assert.match(read, /^[0-9A-HJKMNP-TV-Z]{111}$/);
  assert.deepEqual(beginning(read, 5), Buffer.from('HLPQ\x01'));
  const film = box.path('code.mjpeg');
  const frame = await second.page.screenshot({ type: 'jpeg', quality: 80 });
  writeFileSync(film, Buffer.concat(Array(5).fill(frame)));
  await first.restart({ camera: film });
  await first.page.goto(box.origin);
  await first.unlock(PIN);
  await first.opens('Link a device');
  await first.page.getByText('The new device shows six digits.').waitFor({ timeout: 30_000 });
  await first.isAccessible('the digits');
  await compares(first, second);
  await second.sees('Hello, Amsel');
  await first.button('Done').click();
});

test('another comes in by a code that is typed, and not by wrong digits', async () => {
  const third = await open();
  await asksToComeIn(third);
  await third.button('No camera? Show a code to type').click();
  const typed = await third.page.getByTestId('invitation').innerText();
  assert.match(typed, /^[0-9A-Z]{4}(-[0-9A-Z]{4}){2}$/);
  await first.restart();
  await first.page.goto(box.origin);
  await first.unlock(PIN);
  const join = async (code) => {
    await first.opens('Link a device');
    await first.page.getByText('The camera cannot be used here.').waitFor();
    await first.field('Code of the new device').fill(code);
    await first.button('Continue').click();
  };
  await join(typed.replace(/.$/, (last) => (last === '2' ? '3' : '2')));
  await first.page.getByText('A character is wrong.').waitFor();
  await first.button('Back').click();
  await join(typed.toLowerCase());
  await third.sees('Type these digits into your other device');
  const digits = await third.page.getByTestId('digits').innerText();
  const wrong = digits.replace(/\d$/, (last) => String((Number(last) + 1) % 10));
  await first.field('Digits on the new device').fill(wrong);
  await first.button('Let it in').click();
  await first.page.getByText('The two devices do not agree').waitFor();
  await first.button('Back').click();

  await third.page.reload();
  await asksToComeIn(third);
  await third.button('No camera? Show a code to type').click();
  await join(await third.page.getByTestId('invitation').innerText());
  await compares(first, third);
  await third.sees('Hello, Amsel');
});

test('another PIN is in force at once, and the old one opens nothing', async () => {
  await first.button('Done').click();
  const before = await stored(first);
  await first.opens('Change the PIN');
  await first.choosePin(NEW_PIN);
  await first.isAccessible('the new PIN');
  await first.button('Change the PIN').click();
  await first.page.getByText('The new PIN is in force.').waitFor();
  assert.notDeepEqual((await stored(first)).vault, before.vault);
  await first.button('Lock').click();
  await first.unlock(PIN);
  await first.page.getByText('That is not the PIN.').waitFor();
  await eventually('the new PIN', async () => {
    await first.unlock(NEW_PIN);
    const hello = first.page.getByRole('heading', { name: 'Hello, Amsel' });
    return hello.waitFor({ timeout: 3000 }).then(
      () => true,
      () => false,
    );
  });
});

test('a device that was lost is taken off by another, and its PIN opens nothing', async () => {
  const lost = devices.at(-1);
  const { device } = await stored(lost);
  await first.button('Begin it, as its first admin').click();
  await first.page.getByTestId('members').getByText('Amsel (admin)').waitFor();
  const epoch = () => Number(box.sql('SELECT max(epoch) FROM hub_key'));
  assert.equal(epoch(), 1);
  const line = first.page.getByTestId('devices').getByRole('listitem');
  const its = line.filter({ hasText: `Device ${device.slice(0, 8)}` });
  await lost.button('Log out').click();
  await lost.sees('This device is locked');
  await its.filter({ hasText: 'logged out' }).waitFor();
  await its.getByRole('button', { name: 'Take it off' }).click();
  await first.page.getByText('For a device that was lost or taken').waitFor();
  await first.isAccessible('taking a device off');
  await its.getByRole('button', { name: 'Yes, take it off' }).click();
  await its.waitFor({ state: 'detached' });
  // What it had of the hotline is worth nothing either: the admin's device makes the next key.
  await eventually('the next key of the hotline', async () => epoch() === 2);
  await lost.unlock(OTHER_PIN);
  await lost.page.getByText('The server keeps nothing for this device').waitFor();
  // What is on paper is a device as well, and says so before anybody throws it away.
  const paperLine = line.filter({ hasText: 'Your recovery key, or a device' });
  await paperLine.getByRole('button', { name: 'Take it off' }).click();
  await first.page.getByText('If this is your recovery key, it brings nobody back').waitFor();
  await first.button('Back').click();
  assert.equal(await line.count(), devices.length);
});

test('another recovery key takes the place of the first, once it is kept', async () => {
  const { page } = first;
  const papers = page.getByTestId('devices').getByText('Your recovery key, or a device');
  const before = await papers.innerText();
  const escrow = () => box.sql('SELECT hex(body) FROM recovery_escrow');
  const kept = escrow();
  await first.opens('Make a new recovery key');
  await first.isAt('Make a new recovery key');
  await first.picture('recovery-1');
  await first.button('Continue').click();
  await first.isAt('Save your way back in');
  await first.isAccessible('another recovery sheet');
  await first.picture('recovery-2');
  // Who gives up keeps the one that they have.
  await first.button('Back').click();
  assert.equal(escrow(), kept);
  await first.opens('Make a new recovery key');
  await first.button('Continue').click();
  const another = await savePaper(first, 'I have both: replace the old key');
  await page.getByText('The new recovery key is in force.').waitFor();
  await first.button('Done').click();
  await eventually('the new one on the list', async () => (await papers.innerText()) !== before);
  assert.equal(await papers.count(), 1, 'the old one is off the list');
  assert.notEqual(escrow(), kept);
  assert.equal(box.sql('SELECT count(*) FROM audit WHERE kind = 113'), '1');
  const old = await open();
  await old.page.goto(box.origin);
  await old.button('I have my recovery key').click();
  const buffer = Buffer.from(paper.text);
  await old
    .field('Backup file')
    .setInputFiles({ name: 'r.json', mimeType: 'application/json', buffer });
  await old.field('Recovery key').fill(paper.recoveryKey);
  await old.choosePin(OTHER_PIN);
  await old.button('Continue').click();
  await old.page.getByText('The server does not take this device').waitFor();
  await devices.pop().close();
  paper = { ...another, text: readFileSync(another.file, 'utf8') };
});

test('what is on paper brings its person back, into an empty browser', async () => {
  const { user } = await stored(first);
  assert.ok(!paper.text.includes(paper.recoveryKey), 'the file alone opens nothing');
  const fresh = await open();
  const { page } = fresh;
  await page.goto(box.origin);
  await fresh.button('I have my recovery key').click();
  await fresh.isAccessible('the way back');
  const file = (text) => ({
    name: 'r.json',
    mimeType: 'application/json',
    buffer: Buffer.from(text),
  });
  await fresh.field('Backup file').setInputFiles(file('{}'));
  await page.getByText('This is no backup file of a recovery key.').waitFor();
  await fresh.field('Backup file').setInputFiles(file(paper.text));
  await eventually(
    'the id from the file',
    async () => (await fresh.field('Your id').inputValue()) === user,
  );
  await fresh.choosePin(OTHER_PIN);
  const mistyped = paper.recoveryKey.replace(/.$/, (last) => (last === '2' ? '3' : '2'));
  await fresh.field('Recovery key').fill(mistyped);
  await fresh.button('Continue').click();
  await page.getByText('A character is wrong.').waitFor();
  // A server that hides the newest change: the next key would also be for whoever that took off.
  const its = `hex(person) = '${user.toUpperCase()}'`;
  const newest = `${its} AND seqno = (SELECT max(seqno) FROM sigchain_link WHERE ${its})`;
  await box.end();
  box.sql(`CREATE TABLE hidden AS SELECT * FROM sigchain_link WHERE ${newest}`);
  box.sql(`DELETE FROM sigchain_link WHERE ${newest}`);
  const links = () => box.sql('SELECT count(*) FROM sigchain_link');
  const shorter = links();
  await box.begin();
  await fresh.field('Recovery key').fill(paper.recoveryKey);
  await fresh.button('Continue').click();
  await page.getByText('The key log and this device disagree about your newest change').waitFor();
  assert.equal(links(), shorter, 'no key was made');
  await box.end();
  box.sql('INSERT INTO sigchain_link SELECT * FROM hidden');
  box.sql('DROP TABLE hidden');
  await box.begin();
  await fresh.field('Recovery key').fill(paper.recoveryKey.toLowerCase());
  await fresh.button('Continue').click();
  await fresh.sees('Hello, Amsel');
  await page.getByText(OTHERS).first().waitFor();
});

test('whose other devices were taken comes back without them', async () => {
  await first.sees('Hello, Amsel');
  const fresh = await open();
  const { page } = fresh;
  await page.goto(box.origin);
  await fresh.button('I have my recovery key').click();
  const buffer = Buffer.from(paper.text);
  const backup = { name: 'r.json', mimeType: 'application/json', buffer };
  await fresh.field('Backup file').setInputFiles(backup);
  await fresh.field('Recovery key').fill(paper.recoveryKey);
  await fresh.choosePin(OTHER_PIN);
  await page.getByLabel(/My other devices were lost or taken/).check();
  await fresh.button('Continue').click();
  await fresh.sees('Hello, Amsel');
  // What was taken locks itself, and the right PIN opens it no more.
  await first.sees('This device is locked');
  await first.unlock(NEW_PIN);
  await first.page.getByText('The server keeps nothing for this device').waitFor();
  await page.getByText(/^This device \(/).waitFor();
  await page.getByText(OTHERS).waitFor({ state: 'detached' });
});

test('whoever forgets the device leaves nothing behind in the browser', async () => {
  const last = devices.at(-1);
  const { page } = last;
  await last.button('Log out').click();
  await last.sees('This device is locked');
  // Until the server has ended the login.
  const looking = page.getByRole('heading', { name: 'What you can see while it is locked' });
  await looking.waitFor({ state: 'detached' });
  await last.button('Remove my keys from this browser').click();
  await last.button('Remove them').click();
  await last.sees('Welcome');
  await page.reload();
  await last.sees('Welcome');
});

test('the panel speaks the language of the browser, and remembers another choice', async () => {
  const spanish = await open({ locale: 'es-MX' });
  const { page } = spanish;
  await page.goto(box.origin);
  await spanish.sees('Te damos la bienvenida');
  assert.equal(await page.evaluate(() => document.documentElement.lang), 'es');
  await page.getByLabel('Idioma').selectOption('en');
  await spanish.sees('Welcome');
  await page.reload();
  await spanish.sees('Welcome');
});
