import { api } from './bankApi'
import { unwrap } from './http'
import type {
  ChatReply,
  ChatRequest,
  Challenge,
  FactorAction,
  Factors,
  Intent,
  OwnSession,
  Passkey,
  PasskeyOptions,
  Proof,
  Session,
  SessionPage,
  StepUpAnswer,
  StoredMessage,
  TotpEnrolment,
} from './types'

const MESSAGES_PER_PAGE = 100

export function sendChat(body: ChatRequest, signal: AbortSignal): Promise<ChatReply> {
  return unwrap(api.POST('/api/v2/chat', { body, signal }))
}

export function listSessions(userId: string | null, cursor: string | null): Promise<SessionPage> {
  const query = { user_id: userId ?? undefined, cursor: cursor ?? undefined }
  return unwrap(api.GET('/api/v2/sessions', { params: { query } }))
}

export async function listMessages(sessionId: string, signal: AbortSignal): Promise<StoredMessage[]> {
  const messages: StoredMessage[] = []
  let cursor: string | undefined
  do {
    const params = { path: { session_id: sessionId }, query: { limit: MESSAGES_PER_PAGE, cursor } }
    const page = await unwrap(api.GET('/api/v2/sessions/{session_id}/messages', { params, signal }))
    messages.push(...page.items)
    cursor = page.next_cursor ?? undefined
  } while (cursor)
  return messages
}

export function readSession(sessionId: string, signal: AbortSignal): Promise<Session> {
  return unwrap(api.GET('/api/v2/sessions/{session_id}', { params: { path: { session_id: sessionId } }, signal }))
}

/** Go on with the assistant instead of a person. */
export async function takeBack(sessionId: string): Promise<void> {
  await unwrap(api.POST('/api/v2/sessions/{session_id}/hand-back', { params: { path: { session_id: sessionId } } }))
}

export function renameSession(sessionId: string, title: string): Promise<Session> {
  const params = { path: { session_id: sessionId } }
  return unwrap(api.PATCH('/api/v2/sessions/{session_id}', { params, body: { title } }))
}

export async function deleteSession(sessionId: string): Promise<void> {
  const params = { path: { session_id: sessionId } }
  await unwrap(api.DELETE('/api/v2/sessions/{session_id}', { params }))
}

export async function listIntents(): Promise<Intent[]> {
  return (await unwrap(api.GET('/api/v2/intents'))).items
}

/** Where the caller is signed in, the last used first. */
export async function listOwnSessions(): Promise<OwnSession[]> {
  return (await unwrap(api.GET('/api/auth/sessions'))).items
}

export async function endOwnSession(sessionId: string): Promise<void> {
  const params = { path: { session_id: sessionId } }
  await unwrap(api.DELETE('/api/auth/sessions/{session_id}', { params }))
}

/** End every session of the caller but the one that asks; how many ended. */
export async function endOtherSessions(): Promise<number> {
  return (await unwrap(api.POST('/api/auth/sessions/others/end'))).ended
}

/** The address at which the caller lets an account with the provider sign in here. */
export async function beginLink(provider: string): Promise<string> {
  const params = { path: { provider } }
  return (await unwrap(api.POST('/api/auth/oauth/{provider}/link', { params }))).authorization_url
}

export function readFactors(): Promise<Factors> {
  return unwrap(api.GET('/api/auth/mfa/status'))
}

/** A challenge for one change of the caller's second factors. */
export function beginStepUp(action: FactorAction, passkeyId: string | null = null): Promise<Challenge> {
  return unwrap(api.POST('/api/auth/mfa/step-up', { body: { action, passkey_id: passkeyId } }))
}

export function enrolTotp(stepUp: StepUpAnswer | null): Promise<TotpEnrolment> {
  return unwrap(api.POST('/api/auth/mfa/totp/enrol', { body: { step_up: stepUp } }))
}

export function confirmTotp(code: string): Promise<Factors> {
  return unwrap(api.POST('/api/auth/mfa/totp/confirm', { body: { code } }))
}

export function disableTotp(stepUp: StepUpAnswer): Promise<Factors> {
  return unwrap(api.POST('/api/auth/mfa/totp/disable', { body: { step_up: stepUp } }))
}

export function beginPasskey(stepUp: StepUpAnswer | null): Promise<PasskeyOptions> {
  return unwrap(api.POST('/api/auth/mfa/webauthn/register/options', { body: { step_up: stepUp } }))
}

export function registerPasskey(challengeId: string, credential: Proof['credential'], name: string): Promise<Passkey> {
  const body = { challenge_id: challengeId, credential: credential ?? {}, name }
  return unwrap(api.POST('/api/auth/mfa/webauthn/register', { body }))
}

export function deletePasskey(passkeyId: string, stepUp: StepUpAnswer): Promise<Factors> {
  const params = { path: { passkey_id: passkeyId } }
  return unwrap(api.POST('/api/auth/mfa/webauthn/{passkey_id}/delete', { params, body: { step_up: stepUp } }))
}
