// The API's types, which are generated from the server's.
import type { components } from '$api';

type Schemas = components['schemas'];

export type BootstrapRequest = Schemas['BootstrapRequest'];
export type ChallengeAnswer = Schemas['ChallengeAnswer'];
export type CheckpointAnswer = Schemas['CheckpointAnswer'];
export type EscrowAnswer = Schemas['EscrowAnswer'];
export type HubKeys = Schemas['HubKeys'];
export type HubList = Schemas['HubList'];
export type HubSummary = Schemas['HubSummary'];
export type HubSettings = Schemas['HubSettings'];
export type InviteMade = Schemas['InviteMade'];
export type InviteOffer = Schemas['InviteOffer'];
export type InviteRedemption = Schemas['InviteRedemption'];
export type Invites = Schemas['Invites'];
export type ItemsKeys = Schemas['ItemsKeys'];
export type LeavesPage = Schemas['LeavesPage'];
export type MemberList = Schemas['MemberList'];
export type Me = Schemas['Me'];
export type PasskeyAttempt = Schemas['PasskeyAttempt'];
export type PasskeyRegistration = Schemas['PasskeyRegistration'];
export type Passkeys = Schemas['Passkeys'];
export type PersonSigchain = Schemas['PersonSigchain'];
export type Problem = Schemas['Problem'];
export type ProfileList = Schemas['ProfileList'];
export type ProofAnswer = Schemas['ProofAnswer'];
export type RoomHeard = Schemas['RoomHeard'];
export type Role = Schemas['Role'];
export type RosterExtension = Schemas['RosterExtension'];
export type RosterHead = Schemas['RosterHead'];
export type RosterPage = Schemas['RosterPage'];
export type ServerFacts = Schemas['ServerFacts'];
export type Sessions = Schemas['Sessions'];
export type ShareAnswer = Schemas['ShareAnswer'];
export type ShareProposal = Schemas['ShareProposal'];
export type Shift = Schemas['Shift'];
export type ShiftList = Schemas['ShiftList'];
export type SigchainsPage = Schemas['SigchainsPage'];
export type SigchainUpdate = Schemas['SigchainUpdate'];
export type Tokens = Schemas['Tokens'];
export type Welcome = Schemas['Welcome'];

export const API_ROOT = '/api/v1';
export const PROOF_HEADER = 'centralita-proof';
export const MAX_LEAVES_PER_PAGE = 2000;
