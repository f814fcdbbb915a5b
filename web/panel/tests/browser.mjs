// A real browser, with a profile of its own, as one device of one person.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'node:test';
import { chromium } from 'playwright-core';
import { eventually } from './box.mjs';

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

export const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** Browsers that are open in this file's tests. */
const devices = new Set();

afterEach(async ({ name, passed }) => {
  if (passed) return;
  for (const device of devices) console.log(`${name}, on the screen: ${await device.shown()}`);
});

export class Device {
  /** Opens a browser. `camera` is a film (.y4m) that its camera sees. */
  static async open({ camera, locale = 'en-GB' } = {}) {
    const device = new Device();
    device.folder = mkdtempSync(join(tmpdir(), 'browser-'));
    device.options = { camera, locale };
    await device.launch();
    devices.add(device);
    return device;
  }

  async launch() {
    const { camera, locale, natural } = this.options;
    // Cameras are pretended in every browser here; without a film, this one has none.
    const film = camera
      ? [
          '--use-fake-ui-for-media-stream',
          '--use-fake-device-for-media-stream',
          `--use-file-for-fake-video-capture=${camera}`,
        ]
      : [];
    // The box signs its certificate itself; what a browser says to that is not tested here.
    const args = ['--no-sandbox', '--ignore-certificate-errors', ...film];
    const shared = { executablePath, locale, acceptDownloads: true, args };
    this.context = natural
      ? await this.launchNatural(args)
      : await chromium.launchPersistentContext(this.folder, {
          ...shared,
          viewport: { width: 1100, height: 800 },
        });
    this.page = this.context.pages()[0] ?? (await this.context.newPage());
    this.complaints = [];
    this.page.on('console', (message) => {
      if (message.type() === 'error') this.complaints.push(message.text());
    });
    this.page.on('pageerror', (error) => this.complaints.push(String(error)));
  }

  /** One that knows when it is out of sight; test tools have others believe that they never are. */
  async launchNatural(args) {
    const all = ['--headless=new', '--remote-debugging-port=0', `--user-data-dir=${this.folder}`];
    const said = join(this.folder, 'DevToolsActivePort');
    // A browser that is asked while it is still starting may never answer: another one then.
    for (let tries = 1; ; tries++) {
      rmSync(said, { force: true });
      const options = [...args, ...all, '--no-first-run', '--lang=en-GB', 'about:blank'];
      this.process = spawn(executablePath, options, { stdio: 'ignore' });
      const [port, path] = await eventually('the browser', () => {
        if (this.process.exitCode !== null) throw new Error('the browser ended at its start');
        const lines = existsSync(said) ? readFileSync(said, 'utf8').split('\n') : [];
        return lines.length === 2 && lines;
      });
      try {
        const address = `ws://127.0.0.1:${port}${path}`;
        const how = { noDefaults: true, timeout: 10_000 };
        return (await chromium.connectOverCDP(address, how)).contexts()[0];
      } catch (error) {
        if (tries === 5) throw error;
        await this.endProcess();
      }
    }
  }

  async endProcess() {
    this.process.kill();
    const ended = () => this.process.exitCode !== null || this.process.signalCode;
    await eventually('the end of the browser', ended);
  }

  /** Switches the machine off and on; what the browser has on its disk stays. See `launchNatural`. */
  async restart({ natural = false, camera } = {}) {
    await this.context.close();
    Object.assign(this.options, { natural, camera });
    await this.launch();
  }

  async close() {
    devices.delete(this);
    if (this.process) {
      await this.endProcess();
    } else {
      await this.context.close();
    }
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  button(name) {
    return this.page.getByRole('button', { name, exact: true });
  }

  /**
   * Presses a button that gives way to what it opens. What still loads around it may move it away
   * between the press and the release, and then nothing was pressed.
   */
  async opens(name) {
    const button = await this.button(name).elementHandle();
    await eventually(`what “${name}” opens`, async () => {
      await button.click();
      return !(await button.evaluate(({ isConnected }) => isConnected));
    });
  }

  field(name) {
    return this.page.getByLabel(name, { exact: true });
  }

  /** Types a new PIN twice. */
  async choosePin(pin) {
    await this.field('New PIN or passphrase').fill(pin);
    await this.field('The same again').fill(pin);
  }

  async unlock(pin) {
    await this.field('PIN or passphrase').fill(pin);
    await this.button('Unlock').click();
  }

  /** Waits for a heading. */
  async sees(title) {
    await this.page.getByRole('heading', { name: title, exact: true }).waitFor({ timeout: 40_000 });
  }

  /** Waits for a view whose heading has the focus: keyboards and readers go on from there. */
  async isAt(title) {
    const heading = this.page.getByRole('heading', { name: title, exact: true });
    await heading.and(this.page.locator(':focus')).waitFor({ timeout: 40_000 });
  }

  /** What somebody would tell who is asked what they see. */
  async shown() {
    try {
      const text = await this.page.locator('body').innerText({ timeout: 2_000 });
      return JSON.stringify({ text, complaints: this.complaints });
    } catch (error) {
      return String(error);
    }
  }

  /** Takes pictures of a view as desks and phones show it, where somebody wants to look at them. */
  async picture(name) {
    const folder = process.env.SHOTS;
    if (!folder) return;
    const before = this.page.viewportSize();
    for (const [width, height] of [
      [1280, 800],
      [360, 740],
    ]) {
      await this.page.setViewportSize({ width, height });
      await this.page.screenshot({ path: join(folder, `${name}-${width}.png`), fullPage: true });
    }
    await this.page.setViewportSize(before);
  }

  /** Who needs a keyboard, a reader or good contrast can use what is shown now. */
  async isAccessible(what) {
    await this.page.evaluate(readFileSync(axe, 'utf8'));
    const { violations } = await this.page.evaluate(
      (rules) => window.axe.run(document, { runOnly: rules }),
      RULES,
    );
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html)}`);
    assert.deepEqual(found, [], what);
  }
}

/** The recovery sheet: writes the key down, saves the file, proves it. Gives both. */
export async function savePaper(device, goOn = 'I have both: let me in') {
  const { page } = device;
  await device.sees('Save your way back in');
  const recoveryKey = await page.getByTestId('recovery-key').innerText();
  const enter = device.button(goOn);
  assert.ok(await enter.isDisabled(), 'nobody goes on without a way back in');
  await device.field('Type the last four characters from your paper').fill(recoveryKey.slice(-4));
  assert.ok(await enter.isDisabled(), 'the file is part of it');
  const saving = page.waitForEvent('download');
  await device.button('Save the backup file').click();
  const file = await (await saving).path();
  await enter.click();
  return { recoveryKey, file };
}
