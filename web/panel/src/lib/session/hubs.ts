// Hubs as their admins keep them: begun, and continued by who comes in.
import { type LogFollower, People, Role as RosterRole } from '$crypto';
import type {
  HubKeys,
  HubSettings,
  InviteFacts,
  InviteMade,
  MemberList,
  PersonSigchain,
  ProfileList,
  RosterExtension,
  RosterHead,
  RosterPage,
  SigchainsPage,
} from '$lib/api';
import { fromBlob, toBlob } from '$lib/blob';
import type { Seen } from '$lib/device/seen';
import { Failure, failureOf } from '$lib/failure';
import { writeInvitation } from '$lib/invitation';
import type { Client } from './client';
import { invitesOf, usedInvite } from './invites';
import { type Audience, openMember, sealForAdmins } from './profile';
import { Recent } from './recent';
import {
  BUILT_IN,
  builtIn,
  type BuiltIn,
  type Invitations,
  type Invited,
  isBuiltIn,
  type Member,
} from './roles';

const DAY_MS = 24 * 60 * 60 * 1000;
/** How long an invitation is good. */
const INVITATION_MS = 3 * DAY_MS;

/** A roster and its people, as far as they verify and the key log tells everybody the same. */
interface Believed {
  people: People;
  log: LogFollower;
}

/** The hubs of one person, at their unlocked device. */
export class Hubs {
  /** Hubs as they were last believed. */
  private readonly believed = new Map<string, Recent<Believed>>();

  constructor(private readonly client: Client) {}

  /** The server has told of a change, or this device has made one. */
  handleChange(): void {
    this.believed.clear();
  }

  /** Begins the roster of a hub, with oneself as its admin, and its first key. */
  async begin(hub: string): Promise<void> {
    const { session } = this.client;
    const roles = Object.values(BUILT_IN).map(
      ({ number, admin, reviewer, permissions }) =>
        new RosterRole(number, admin, reviewer, permissions),
    );
    session.forgetHub(hub);
    session.createHub(hub, roles, BUILT_IN['hub-admin'].number, Date.now());
    await this.extend(hub, 0, this.announced(hub, undefined, new People()));
  }

  /** Invites somebody. */
  async invite(hub: string, role: BuiltIn): Promise<Invited> {
    await this.believe(hub);
    const { line, session } = this.client;
    const request = { role: { name: role }, expires_at_ms: Date.now() + INVITATION_MS };
    const made = await line.ask<InviteMade>('POST', `/hubs/${hub}/invites`, request);
    const secret = session.inviteSecret(hub, made.invite, BUILT_IN[role].number);
    const rosterHead = toBlob(session.rosterHead(hub));
    const { pinned } = this.client;
    const invitation = { code: made.code, hub, rosterHead, secret, pinned };
    return { invite: made.invite, link: writeInvitation(self.location.origin, invitation) };
  }

  /** Who used an invitation and was not taken in yet, the newest first; and which nobody has used. */
  async waiting(hub: string): Promise<Invitations> {
    const { line } = this.client;
    const invites: InviteFacts[] = [];
    for await (const invite of invitesOf(line, hub)) invites.push(invite);
    const { members } = await line.ask<MemberList>('GET', `/hubs/${hub}/members`);
    const inside = new Set(members.map(({ user }) => user));
    const unused = invites.filter(({ used_by: user }) => !user).map(({ invite }) => invite);
    const used = invites.flatMap(({ used_by: user, used_at_ms: usedAtMs, role }) => {
      const isWaiting = user && !inside.has(user) && isBuiltIn(role);
      return isWaiting ? [{ user, role: role.name as BuiltIn, usedAtMs: usedAtMs ?? 0 }] : [];
    });
    // Nothing keeps anybody from using two of them.
    const waiting = used.filter((one, place) => {
      return place === used.findIndex(({ user, role }) => user === one.user && role === one.role);
    });
    return { waiting, unused };
  }

  /** Takes in who used an invitation, and hands them the hub's key. */
  async admit(hub: string, user: string, role: BuiltIn): Promise<void> {
    const people = await this.meet(hub, user);
    const { session } = this.client;
    await this.checkInvited(hub, user, role, people);
    const known = session.rosterSeqno(hub);
    session.addMember(hub, user, BUILT_IN[role].number, people, Date.now());
    const wrap = session.wrapHubKey(hub, user, people);
    await this.extend(hub, known, { wraps: [toBlob(wrap)] });
  }

  /** A hub's people and somebody beside them, as the key log tells everybody. */
  private async meet(hub: string, user: string, isSecondTry = false): Promise<People> {
    const { people, log } = await this.believe(hub);
    const { line, seen } = this.client;
    const person = await line.ask<PersonSigchain>('GET', `/hubs/${hub}/sigchains/${user}`);
    if (person.user !== user) {
      throw new Failure('lie', 'The server gives the device list of somebody else.');
    }
    const head = people.add(user, fromBlob(person.sigchain), seen.people[user]);
    try {
      log.checkPeople(people);
    } catch (thrown) {
      // They have changed it since the log was read, as whoever has just come in may.
      if (failureOf(thrown).code === 'unlogged' && !isSecondTry) return this.meet(hub, user, true);
      throw thrown;
    }
    seen.people[user] = head;
    return people;
  }

  /** The server says who used an invitation; who held its link vouches for their own keys. */
  private async checkInvited(
    hub: string,
    user: string,
    role: BuiltIn,
    people: People,
  ): Promise<void> {
    const { line, session } = this.client;
    const used = await usedInvite(line, hub, user, role);
    if (!used?.voucher) throw new Failure('not-vouched', 'Nobody vouches for this person.');
    const voucher = fromBlob(used.voucher);
    session.checkVoucher(hub, used.invite, BUILT_IN[role].number, user, voucher, people);
  }

  /** Who belongs to a hub, by name where this admin can read it. */
  async members(hub: string): Promise<Member[]> {
    const { people } = await this.keepUp(hub);
    const { line, session } = this.client;
    const { profiles } = await line.ask<ProfileList>('GET', `/hubs/${hub}/profiles`);
    const byUser = new Map(profiles.map(({ user, profile }) => [user, profile]));
    return session.members(hub).map(({ user, role }) => {
      const profile = byUser.get(user);
      const name = profile ? openMember(session, profile, user, { hub, people }) : undefined;
      return { user, name, role: builtIn(role) };
    });
  }

  /** Takes somebody off the list. The hub gets a new key: they read nothing that comes later. */
  async remove(hub: string, user: string): Promise<void> {
    const { people } = await this.believe(hub);
    const { session } = this.client;
    const known = session.rosterSeqno(hub);
    session.removeMember(hub, user, people, Date.now());
    await this.extend(hub, known, this.announced(hub, await this.settings(hub), people));
  }

  /**
   * Believes a hub and does for it what only an admin's device can: notes how far its people's
   * device lists go, so that a device that was taken off signs nothing for it any more, and makes
   * the next key where such a device had the last one.
   */
  private async keepUp(hub: string): Promise<Believed> {
    const believed = await this.look(hub);
    const { session } = this.client;
    const isAdmin = (role: number) => builtIn(role) === 'hub-admin';
    const me = session.members(hub).find(({ user }) => user === session.user);
    const known = session.rosterSeqno(hub);
    if (!me || !isAdmin(me.role) || !session.noteDevices(hub, believed.people, Date.now())) {
      return believed;
    }
    // Where the rest fails, it begins with the server's list again.
    this.believed.delete(hub);
    const next = session.isHubKeyDue(hub)
      ? this.announced(hub, await this.settings(hub), believed.people)
      : {};
    try {
      await this.extend(hub, known, next);
    } catch (thrown) {
      // Another admin's device was faster.
      if (failureOf(thrown).code !== 'conflict') throw thrown;
    }
    return this.look(hub);
  }

  private async settings(hub: string): Promise<Uint8Array | undefined> {
    const path = `/hubs/${hub}/settings`;
    const { settings } = await this.client.line.ask<HubSettings>('GET', path);
    return settings ? fromBlob(settings) : undefined;
  }

  /** Seals this person's name for the admins of their hubs, where these have changed. */
  async shareName(): Promise<void> {
    const { line, session, seen } = this.client;
    const { me, name } = await this.client.person();
    if (name === undefined) return;
    const audiences: Audience[] = [];
    const named: Record<string, string> = {};
    for (const { hub } of me.hubs) {
      const { people } = await this.look(hub);
      audiences.push({ hub, people });
      named[hub] = session.readers(hub, 'case', session.user).sort().join();
    }
    if (JSON.stringify(named) === JSON.stringify(seen.named)) return;
    const profile = sealForAdmins(session, me.profile, name, audiences);
    await line.ask('PUT', '/me/profile', { profile });
    seen.named = named;
    await this.client.keepSeen();
  }

  /** A hub for who only looks: as it was just believed, or loaded. */
  private look(hub: string): Promise<Believed> {
    const recent = this.believed.get(hub) ?? new Recent<Believed>();
    this.believed.set(hub, recent);
    return recent.get(Date.now(), () => this.load(hub, this.client.keepUp()));
  }

  /** A hub as it is now: goes before each change of it, after which nobody looks at this any more. */
  private believe(hub: string): Promise<Believed> {
    this.believed.delete(hub);
    return this.load(hub, this.client.catchUp());
  }

  /**
   * Loads a hub and believes it if the roster and every device list verify, continue what was
   * seen, and are what the key log tells everybody. Opens its keys.
   */
  private async load(hub: string, own: Promise<number>, isSecondTry = false): Promise<Believed> {
    const { line, session, seen } = this.client;
    // What this person's other devices have done is in the log, too.
    await own;
    const people = new People();
    const heads: Seen['people'] = {};
    let log: LogFollower;
    let isFollowed = false;
    try {
      log = await this.client.checkLog();
      for (const { user, sigchain } of await this.sigchains(hub)) {
        heads[user] = people.add(user, fromBlob(sigchain), seen.people[user]);
      }
      log.checkPeople(people);
      const links = await this.links(hub);
      session.forgetHub(hub);
      session.followHubLinks(hub, links, seen.rosters[hub], people);
      isFollowed = true;
      log.checkHub(session, hub);
    } catch (thrown) {
      if (isFollowed) session.forgetHub(hub);
      // An honest change fell between; its entry is in the log by now, or there is none.
      const isBehind = ['unlogged', 'withheld'].includes(failureOf(thrown).code);
      if (isBehind && !isSecondTry) {
        return this.load(hub, this.client.catchUp(), true);
      }
      throw thrown;
    }
    // Not before: what is not in the log may be for this device alone.
    Object.assign(seen.people, heads);
    seen.rosters[hub] = session.rosterHead(hub);
    await this.client.keepSeen();
    const { keys } = await line.ask<HubKeys>('GET', `/hubs/${hub}/keys`);
    for (const { wrap } of keys) session.openHubKey(hub, fromBlob(wrap));
    const newest = keys.at(-1);
    if (newest) session.openSearchRoot(hub, fromBlob(newest.search_root));
    return { people, log };
  }

  /** Makes the next hub key, sealed to everybody; gives what goes to the server with the roster. */
  private announced(hub: string, settings: Uint8Array | undefined, people: People): Announced {
    const { session } = this.client;
    const key = session.newHubKey(hub, settings, people, Date.now());
    return {
      wraps: key.wraps().map(({ wrap }) => toBlob(wrap)),
      search_roots: [{ epoch: session.hubKeyEpoch(hub), sealed: toBlob(key.searchRoot) }],
      settings: key.settings && toBlob(key.settings),
    };
  }

  /** Sends the links after number `known`, with what they announce. */
  private async extend(hub: string, known: number, announced: Announced): Promise<void> {
    const { line, session, seen } = this.client;
    const links = session.rosterLinksAfter(hub, known).map(toBlob);
    const request: RosterExtension = { ...announced, links };
    this.handleChange();
    const head = await line.ask<RosterHead>('POST', `/hubs/${hub}/roster`, request);
    if (head.seqno !== session.rosterSeqno(hub)) {
      throw new Failure('lie', 'The server keeps another roster than the one it was sent.');
    }
    seen.rosters[hub] = session.rosterHead(hub);
    await this.client.keepSeen();
  }

  private async links(hub: string): Promise<Uint8Array[]> {
    const links: Uint8Array[] = [];
    for (;;) {
      const path = `/hubs/${hub}/roster?after=${links.length}`;
      const page = await this.client.line.ask<RosterPage>('GET', path);
      links.push(...page.links.map(fromBlob));
      if (!page.more || page.links.length === 0) return links;
    }
  }

  private async sigchains(hub: string): Promise<PersonSigchain[]> {
    const all: PersonSigchain[] = [];
    for (;;) {
      const last = all.at(-1);
      const path = `/hubs/${hub}/sigchains${last ? `?after=${last.user}` : ''}`;
      const { people, more } = await this.client.line.ask<SigchainsPage>('GET', path);
      all.push(...people);
      if (!more || people.length === 0) return all;
    }
  }
}

type Announced = Pick<RosterExtension, 'wraps' | 'search_roots' | 'settings'>;
