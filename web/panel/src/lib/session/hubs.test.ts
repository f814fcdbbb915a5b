import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { Client } from './client';
import { Hubs } from './hubs';

vi.mock('$crypto', () => ({
  People: class {
    add = () => new Uint8Array([2]);
  },
  Role: class {},
}));

const HUB = '11'.repeat(16);
const ANA = '22'.repeat(16);
const BEA = '33'.repeat(16);

/** What the key log says of each try: a code of its refusal, or nothing. */
type Says = (string | undefined)[];

function panel(ofPeople: Says, ofRoster: Says) {
  const told: string[] = [];
  const say = (says: Says) => () => {
    const code = says.shift();
    if (code !== undefined) throw Object.assign(new Error(code), { code });
  };
  const session = new Proxy(
    {
      user: ANA,
      members: () => [],
      rosterSeqno: () => 1,
      rosterHead: () => new Uint8Array([3]),
      rosterLinksAfter: () => [],
      wrapHubKey: () => new Uint8Array([4]),
    },
    {
      get: (known, name) =>
        name in known ? known[name as keyof typeof known] : () => void told.push(String(name)),
    },
  );
  const answers = {
    sigchains: { people: [{ user: ANA, sigchain: '' }], more: false },
    [BEA]: { user: BEA, sigchain: '' },
    invites: {
      invites: [{ invite: '', used_by: BEA, role: { name: 'volunteer' }, voucher: 'AQ' }],
    },
    roster: { links: [], more: false, seqno: 1 },
    keys: { keys: [] },
    profiles: { profiles: [] },
  };
  const ask = (_: string, path: string) =>
    Promise.resolve(
      answers[path.split(/[/?]/)[path.endsWith(BEA) ? 4 : 3] as keyof typeof answers],
    );
  const client = {
    session,
    line: { ask },
    seen: { named: {}, people: {}, rosters: {} },
    keepUp: () => Promise.resolve(told.push('keepUp')),
    catchUp: () => Promise.resolve(told.push('catchUp')),
    keepSeen: () => Promise.resolve(),
    checkLog: () => {
      told.push('checkLog');
      return Promise.resolve({ checkPeople: say(ofPeople), checkHub: say(ofRoster) });
    },
  };
  return { hubs: new Hubs(client as unknown as Client), told, seen: client.seen };
}

const count = (told: string[], what: string) => told.filter((one) => one === what).length;

describe('a change that the log did not have', () => {
  let says: string;
  beforeEach(() => (says = 'unlogged'));

  test('is believed when it is there once both were loaded again', async () => {
    for (const [ofPeople, ofRoster] of [
      [[says], []],
      [[], [says]],
    ] satisfies [Says, Says][]) {
      const { hubs, told, seen } = panel(ofPeople, ofRoster);
      await hubs.members(HUB);
      expect(count(told, 'checkLog')).toBe(2);
      expect(count(told, 'keepUp')).toBe(1);
      // What was learnt a moment ago is not good enough for the second try.
      expect(count(told, 'catchUp')).toBe(1);
      expect(Object.keys(seen.people)).toEqual([ANA]);
    }
  });

  test('is refused when it still is not, and not remembered as seen', async () => {
    for (const [ofPeople, ofRoster] of [
      [[says, says], []],
      [[], [says, says]],
      [[says], [says]],
    ] satisfies [Says, Says][]) {
      const { hubs, told, seen } = panel(ofPeople, ofRoster);
      await expect(hubs.members(HUB)).rejects.toMatchObject({ code: 'unlogged' });
      expect(count(told, 'checkLog')).toBe(2);
      expect(seen).toEqual({ named: {}, people: {}, rosters: {} });
      const last = [told.lastIndexOf('followHubLinks'), told.lastIndexOf('forgetHub')];
      expect(last[1]).toBeGreaterThanOrEqual(last[0] ?? 0);
    }
  });

  test('is believed of who is taken in when a second look finds it, and only then', async () => {
    // The first entries are for the hub as it was before.
    const { hubs, told, seen } = panel([undefined, says], []);
    await hubs.admit(HUB, BEA, 'volunteer');
    expect(count(told, 'checkLog')).toBe(2);
    expect(count(told, 'addMember')).toBe(1);
    expect(Object.keys(seen.people)).toEqual([ANA, BEA]);
    const lied = panel([undefined, says, undefined, says], []);
    await expect(lied.hubs.admit(HUB, BEA, 'volunteer')).rejects.toMatchObject({ code: says });
    expect(count(lied.told, 'addMember')).toBe(0);
    expect(Object.keys(lied.seen.people)).toEqual([ANA]);
  });

  test('is one thing; what contradicts the log is refused at once', async () => {
    says = 'moved';
    const { hubs, told } = panel([says], []);
    await expect(hubs.members(HUB)).rejects.toMatchObject({ code: 'moved' });
    expect(count(told, 'checkLog')).toBe(1);
  });
});
