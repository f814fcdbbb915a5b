// The worker of a locked device: it can look at what is no secret, and has no key that opens
// anything.
import { LockedView } from '$crypto';
import { Failure } from '$lib/failure';
import { Line } from './line';
import type { ViewCalls } from './protocol';
import { serve, tellTokens } from './serving';

let view: LockedView | undefined;
let line: Line | undefined;

function looking(): Line {
  if (line) return line;
  throw new Failure('out-of-turn', 'Nobody is logged in.');
}

serve<ViewCalls>({
  create(device) {
    view = new LockedView(device);
    return view.publicKey;
  },
  take(tokens) {
    if (!view) throw new Failure('out-of-turn', 'There is no key to look with.');
    line = new Line(view, tokens, tellTokens);
  },
  get: (path) => looking().ask('GET', path),
  logout: () => looking().ask('POST', '/session/logout'),
});
