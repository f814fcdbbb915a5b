import { describe, expect, test } from 'vitest';
import { AutoLock, HIDDEN_MS, WARNING_MS } from './auto_lock';

const MINUTE = 60_000;
const limits = { idleMs: 10 * MINUTE, longestMs: 8 * 60 * MINUTE };

describe('an unlocked device', () => {
  test('is quiet, warns, and locks when nobody is there', () => {
    const lock = new AutoLock(limits, 0);
    const warnsAt = limits.idleMs - WARNING_MS;
    expect(lock.poll(0)).toEqual({ kind: 'open', until: warnsAt });
    expect(lock.poll(warnsAt - 1).kind).toBe('open');
    const warning = { kind: 'warning', reason: 'idle', locksAt: limits.idleMs };
    expect(lock.poll(warnsAt)).toEqual(warning);
    expect(lock.poll(limits.idleMs)).toEqual({ kind: 'lock', reason: 'idle' });
  });

  test('stays open for whoever moves, also after the warning', () => {
    const lock = new AutoLock(limits, 0);
    lock.handleSign(limits.idleMs - 1);
    expect(lock.poll(limits.idleMs).kind).toBe('open');
    expect(lock.poll(2 * limits.idleMs - 1)).toEqual({ kind: 'lock', reason: 'idle' });
  });

  test('locks after the longest time however busy, and says so before', () => {
    const lock = new AutoLock(limits, 0);
    for (let now = 0; now < limits.longestMs; now += MINUTE) lock.handleSign(now);
    const locksAt = limits.longestMs;
    expect(lock.poll(locksAt - 1)).toEqual({ kind: 'warning', reason: 'longest', locksAt });
    expect(lock.poll(locksAt)).toEqual({ kind: 'lock', reason: 'longest' });
  });

  test('locks out of sight, and not for a short look elsewhere', () => {
    const lock = new AutoLock(limits, 0);
    lock.handleHidden(1000);
    expect(lock.poll(1000)).toEqual({ kind: 'open', until: 1000 + HIDDEN_MS });
    lock.handleShown(HIDDEN_MS);
    expect(lock.poll(1000 + HIDDEN_MS).kind).toBe('open');
    lock.handleHidden(2 * HIDDEN_MS);
    lock.handleHidden(3 * HIDDEN_MS - 1);
    expect(lock.poll(3 * HIDDEN_MS)).toEqual({ kind: 'lock', reason: 'hidden' });
  });

  test('is not kept open by whoever wakes the machine', () => {
    const asleep = new AutoLock(limits, 0);
    asleep.handleSign(limits.idleMs);
    expect(asleep.poll(limits.idleMs)).toEqual({ kind: 'lock', reason: 'idle' });
    const hidden = new AutoLock(limits, 0);
    hidden.handleHidden(0);
    hidden.handleShown(HIDDEN_MS);
    expect(hidden.poll(HIDDEN_MS)).toEqual({ kind: 'lock', reason: 'hidden' });
  });
});
