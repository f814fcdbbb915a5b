// The built box with a hotline, and people at command lines beside the browsers.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const program =
  process.env.CENTRALITA_BIN ??
  join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), 'debug', 'centralita');
const commandLine = join(dirname(program), 'life');
const WITHIN_MS = 60_000;
/** The code of the first admin stands alone on its line. */
const LINK = /^ +(https:\S+#begin=\S+)$/m;
const CODE = /^ +([0-9A-Z]+(?:-[0-9A-Z]+){4,})$/m;

/** The PIN of people at command lines. */
const PIN = '739184-Kerbel';

/** Asks until there is an answer. */
export async function eventually(what, ask, within = WITHIN_MS) {
  const until = Date.now() + within;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > until) throw new Error(`never came: ${what}`);
    await sleep(100);
  }
}

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

export class Box {
  said = '';

  /** Starts a box that browsers reach as `host`; `web` is added to that section of its file. */
  static async start(web = '', host = '127.0.0.1') {
    const box = new Box();
    box.host = host;
    box.folder = mkdtempSync(join(tmpdir(), 'panel-'));
    const key = execFileSync(program, ['keygen', box.path('reader.key')]).toString();
    const reader = /hlpub1\S+/.exec(key)[0];
    // Somebody may take a port between the question and the start: ask again.
    for (let tries = 1; ; tries++) {
      await box.configure(reader, web);
      if (await box.run()) return box;
      if (tries === 4) throw new Error(`the box does not start:\n${box.said}`);
    }
  }

  async configure(reader, web) {
    this.reader = reader;
    const [panel, sip] = [await freePort(), await freePort()];
    this.origin = `https://${this.host}:${panel}`;
    this.hotline = (web) => `
[network]
realm = "panel.invalid"
udp = ["127.0.0.1:${sip}"]
rtp_ports = "24000-24019"
[web]
listen = "127.0.0.1:${panel}"
origin = "${this.origin}"
${web}
[[trunk]]
name = "line"
kind = "address"
peers = ["127.0.0.1"]
[[volunteer]]
id = "ana"
phones = [{ user = "ana", password = "not used here: Ahk4-oova-Phu7" }]
[[hub]]
id = "night"
name = "Night line"
numbers = ["+15550100"]
language = "en"
time_zone = "UTC"
fallback = ["ana"]
voicemail_keys = ["${reader}"]
[[shift]]
hub = "night"
days = "weekdays"
from = "20:00"
to = "23:30"
volunteers = ["ana"]
`;
    this.apply(web);
  }

  /** Applies its file with other settings of the panel, also while it runs. */
  apply(web) {
    writeFileSync(this.path('hotline.toml'), this.hotline(web));
    return this.command('apply', this.path('hotline.toml'));
  }

  /** Whether the panel came up. */
  async run() {
    this.process = spawn(program, ['--data', this.path('data'), 'serve'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const hear = (chunk) => (this.said += chunk);
    this.process.stdout.on('data', hear);
    this.process.stderr.on('data', hear);
    return eventually('the panel', async () => {
      if (this.process.exitCode !== null) return 'ended';
      return this.said.includes('ready for calls') && 'ready';
    }).then((state) => state === 'ready' && this.said.includes('the panel is served'));
  }

  /** What the box prints for the first admin. */
  code() {
    return eventually('the code of the first admin', () => CODE.exec(this.said)?.[1]);
  }

  /** The link that it prints beside the code. */
  link() {
    return eventually('the link of the first admin', () => LINK.exec(this.said)?.[1]);
  }

  command(...given) {
    return execFileSync(program, ['--data', this.path('data'), ...given]).toString();
  }

  path(name) {
    return join(this.folder, name);
  }

  /** What whoever has the machine does to the database beside the server; gives the first value. */
  sql(statement) {
    const program =
      'import sqlite3, sys\n' +
      'with sqlite3.connect(sys.argv[1], timeout=10) as database:\n' +
      '    print((database.execute(sys.argv[2]).fetchone() or [""])[0])';
    const given = ['-c', program, this.path('data/centralita.db'), statement];
    return execFileSync('python3', given).toString().trim();
  }

  /** A person at a command line. */
  person(name, ...given) {
    const env = { ...process.env, LIFE_PIN: PIN };
    return execFileSync(commandLine, ['--folder', this.path(name), ...given], { env })
      .toString()
      .trim();
  }

  /** Writes down what a person is told of the server. */
  async told() {
    const ca = readFileSync(this.path('data/tls/authority.pem'), 'utf8');
    const facts = await new Promise((done, failed) => {
      get(`${this.origin}/api/v1/server`, { ca }, (answer) => {
        let text = '';
        answer.on('data', (chunk) => (text += chunk));
        answer.on('end', () => done(JSON.parse(text)));
      }).on('error', failed);
    });
    const { origin, log: log_key, witnesses, ingest } = facts;
    const file = this.path('server.json');
    writeFileSync(file, JSON.stringify({ origin, ca_pem: ca, log_key, witnesses, ingest }));
    return file;
  }

  /** The first admin, at a command line, whose hub has begun; gives the hub. */
  async admin() {
    this.person('admin', 'bootstrap', await this.told(), await this.code(), 'Admin');
    const hub = /[0-9a-f]{32}/.exec(this.person('admin', 'hubs'))[0];
    this.person('admin', 'begin', hub);
    return hub;
  }

  /** An invitation as the link that the admin passes on. */
  invite(hub) {
    const { code, roster_head, secret } = JSON.parse(
      this.person('admin', 'invite', hub, 'volunteer'),
    );
    const { log_key, witnesses } = JSON.parse(readFileSync(this.path('server.json'), 'utf8'));
    const pinned = encodeURIComponent([log_key, ...witnesses].join('\n'));
    return `${this.origin}/#join=${code}~${hub}~${roster_head}~${secret}~${pinned}`;
  }

  /** Has a partner confirm the key log from the next start on; gives the partner's key. */
  async witness() {
    const log = /^\s*(\S+\/keys\+\S+)$/m.exec(this.command('keys'))[1];
    const given = ['--data', this.path('partner'), 'witness', '--name', 'partner.example'];
    given.push('--log', log, '--listen', '127.0.0.1:0');
    this.partner = spawn(program, given, { stdio: ['ignore', 'pipe', 'ignore'] });
    let said = '';
    this.partner.stdout.on('data', (chunk) => (said += chunk));
    const listens = () => /Listens on (\S+),/.exec(said)?.[1];
    const url = await eventually('the witness', listens);
    const key = /^partner\.example\+\S+$/m.exec(said)[0];
    this.apply(`witnesses = ["${key} ${url}"]`);
    await this.restart();
    return key;
  }

  /** Goes down and comes up again, as for an update. */
  async restart() {
    await this.end();
    await this.begin();
  }

  /** Comes up again. */
  async begin() {
    this.said = '';
    if (!(await this.run())) throw new Error(`the box does not start again:\n${this.said}`);
  }

  async end() {
    this.process.kill('SIGTERM');
    await eventually('the end of the box', () => this.process.exitCode !== null);
  }

  async stop() {
    this.partner?.kill('SIGKILL');
    await this.end();
    rmSync(this.folder, { recursive: true });
  }
}
