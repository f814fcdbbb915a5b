import { expect, test } from 'vitest';
import type { InviteFacts, Invites } from '$lib/api';
import { invitesOf, usedInvite } from './invites';

function used(invite: string, by?: string, role: 'volunteer' | 'reviewer' = 'volunteer') {
  return { invite, used_by: by, role: { name: role } } as InviteFacts;
}

/** A server with these pages; `asked` is what it was asked for. */
function server(pages: Record<string, Invites>) {
  const asked: string[] = [];
  const ask = async <T>(method: string, path: string): Promise<T> => {
    asked.push(`${method} ${path}`);
    return pages[path] as T;
  };
  return { line: { ask }, asked };
}

const pages = {
  '/hubs/h/invites': { invites: [used('5'), used('4', 'ana', 'reviewer')], next: 'p4' },
  '/hubs/h/invites?before=p4': { invites: [used('3', 'ben'), used('2', 'ana')], next: 'p2' },
  '/hubs/h/invites?before=p2': { invites: [used('1', 'ana')] },
};

test('all pages are read, in their order', async () => {
  const { line, asked } = server(pages);
  const seen: string[] = [];
  for await (const { invite } of invitesOf(line, 'h')) seen.push(invite);
  expect(seen).toEqual(['5', '4', '3', '2', '1']);
  expect(asked).toEqual(Object.keys(pages).map((path) => `GET ${path}`));
});

test('the newest invitation of somebody with a role is found, and nothing read after it', async () => {
  const { line, asked } = server(pages);
  expect((await usedInvite(line, 'h', 'ana', 'volunteer'))?.invite).toBe('2');
  expect(asked.length).toBe(2);
  expect(await usedInvite(line, 'h', 'ben', 'reviewer')).toBeUndefined();
});

test('a server whose next page is always empty does not hold anybody up', async () => {
  const { line, asked } = server({ '/hubs/h/invites': { invites: [], next: 'p' } });
  expect(await usedInvite(line, 'h', 'ana', 'volunteer')).toBeUndefined();
  expect(asked.length).toBe(1);
});
