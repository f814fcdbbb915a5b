// Another recovery key in place of the one that a person has.
import { Session } from '$crypto';
import type { Devices, Sessions } from '$lib/api';
import { type Client, type Paper, paperOf } from './client';

/**
 * A recovery key that nothing knows of yet. Its device is made beside the person's list: until it is
 * written down and the list takes it, the one before stays good, and giving up changes nothing.
 */
export class Replacement {
  readonly paper: Paper;
  private readonly escrow: Uint8Array;

  constructor(private readonly client: Client) {
    const { user } = client.session;
    // A list of its own, which goes nowhere: only what the escrow holds counts.
    const aside = Session.create(user);
    aside.beginSigchain(Date.now());
    const sheet = aside.makeRecoveryKey(Date.now());
    this.paper = paperOf(user, sheet, client.pinned);
    this.escrow = sheet.escrow;
    sheet.free();
    aside.lock();
    aside.free();
  }

  /** Puts it on the list, and takes what no PIN opens off it: the key before is among that. */
  async putInForce(): Promise<void> {
    const { user, recoveryKey } = this.paper;
    const paper = Session.recover(user, this.escrow, recoveryKey);
    try {
      // What an earlier try has sent goes first, and its paper off the list again.
      await this.client.catchUp();
      await this.client.putOnPaper(paper, this.escrow, await this.before());
    } finally {
      paper.lock();
      paper.free();
    }
  }

  /**
   * Recovery keys are devices that no PIN opens and that are not logged in; the one in force is,
   * where somebody else has seen it and comes in with it.
   */
  private async before(): Promise<string[]> {
    const { line, session } = this.client;
    const { devices } = await line.ask<Devices>('GET', '/me/devices');
    const { sessions } = await line.ask<Sessions>('GET', '/me/sessions');
    const loggedIn = new Set([session.device, ...sessions.map(({ device }) => device)]);
    return devices
      .filter(({ device, has_vault: hasVault, is_recovery: isRecovery }) => {
        return isRecovery || (!hasVault && !loggedIn.has(device));
      })
      .map(({ device }) => device);
  }
}
