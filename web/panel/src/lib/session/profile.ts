// What a person calls themselves and their things, sealed.
//
// A profile is JSON with sealed copies of one name: one for its person, and for each of their hubs
// one that the hub's admins read (RBAC-06). Each is a record of kind `contact`, named by the person;
// the person's own copy belongs to no hub and has the person's id in place of one.
import { Expectation, People, Place, type Session } from '$crypto';
import { fromBlob, fromText, toBlob, toText } from '$lib/blob';
import { Failure } from '$lib/failure';

const KIND = 'contact';
const VERSION = 1;

interface Profile {
  version: number;
  own: string;
  /** By hub. */
  hubs: Record<string, string>;
}

/** Seals a few words of a person for themselves: under their items key, for all their devices. */
export function sealText(session: Session, text: string): string {
  const place = new Place(KIND, session.user, session.user);
  return toBlob(session.sealNote(place, fromText(text), [], new People()).record);
}

/** The profile of a new person, who belongs to no hub yet. */
export const sealProfile = (session: Session, name: string): string =>
  encoded({ version: VERSION, own: sealText(session, name), hubs: {} });

export function openProfile(session: Session, profile: string): string {
  const { user } = session;
  const people = new People();
  people.add(user, session.sigchain());
  const expected = new Expectation(new Place(KIND, user, user), user, [user]);
  const { own } = decoded(profile);
  return toText(session.openNote(fromBlob(own), expected, people).plaintext);
}

/** A hub whose roster was believed, with its people. */
export interface Audience {
  hub: string;
  people: People;
}

/** Seals the name for the admins of these hubs, as their rosters are now. */
export function sealForAdmins(
  session: Session,
  profile: string,
  name: string,
  audiences: Audience[],
): string {
  const hubs: Profile['hubs'] = {};
  for (const { hub, people } of audiences) {
    const readers = session.readers(hub, 'case', session.user);
    const place = new Place(KIND, hub, session.user);
    hubs[hub] = toBlob(session.sealNote(place, fromText(name), readers, people).record);
  }
  return encoded({ ...decoded(profile), hubs });
}

/** A member's name, for an admin; nothing while they have not sealed it for this one. */
export function openMember(
  session: Session,
  profile: string,
  user: string,
  { hub, people }: Audience,
): string | undefined {
  try {
    const copy = decoded(profile).hubs[hub];
    if (!copy) return undefined;
    const expected = session.expectation(new Place(KIND, hub, user), 'case', user);
    return toText(session.openNote(fromBlob(copy), expected, people).plaintext);
  } catch {
    // Made by another device's rules, or for the admins of another day.
    return undefined;
  }
}

const encoded = (profile: Profile): string => toBlob(fromText(JSON.stringify(profile)));

function decoded(profile: string): Profile {
  const found = JSON.parse(toText(fromBlob(profile))) as Partial<Profile>;
  if (found.version === VERSION && typeof found.own === 'string' && found.hubs) {
    return found as Profile;
  }
  throw new Failure('too-new', 'This profile was made by a newer panel. Load the page again.');
}
