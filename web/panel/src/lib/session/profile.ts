// What a person calls themselves and their things, sealed.
//
// A record of kind `contact` whose place names the person as hub and as record: it belongs to them
// and not to a hub. Sealed under their items key, so that all their devices open it.
import { Expectation, People, Place, type Session } from '$crypto';
import { fromBlob, fromText, toBlob, toText } from '$lib/blob';

const KIND = 'contact';

export const sealProfile = sealText;

/** Seals a few words of a person for themselves. */
export function sealText(session: Session, text: string): string {
  const place = new Place(KIND, session.user, session.user);
  return toBlob(session.sealNote(place, fromText(text), [], new People()).record);
}

export function openProfile(session: Session, profile: string): string {
  const { user } = session;
  const people = new People();
  people.add(user, session.sigchain());
  const expected = new Expectation(new Place(KIND, user, user), user, [user]);
  return toText(session.openNote(fromBlob(profile), expected, people).plaintext);
}
