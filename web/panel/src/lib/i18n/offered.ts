// What somebody is invited to, as they read it.
import type { Offered } from '$lib/session/roles';
import { say } from './index.svelte';

export const invitedTo = ({ hubName, role }: Offered): string =>
  say('invited.to', { hub: hubName, role: say(role ? `role.${role}` : 'role.own') });
