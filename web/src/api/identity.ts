import createClient from 'openapi-fetch'
import { deviceName } from '../identity/device'
import { ApiFailure, failureFromException, failureFromResponse } from './failure'
import { sendPlain, unwrap } from './http'
import type { paths } from './schema'
import type { Access, Customer, Proof, SecondStep, SignedIn, User } from './types'

/** Other tabs wait while one renews. */
const RENEWAL_TIMEOUT_MS = 15_000

/** Sign-in as the server sees it, each call with the credential that it is given and no other. */
const api = createClient<paths>({ baseUrl: window.location.origin, fetch: sendPlain })

export type SignInName = { email: string } | { customer_number: string }

export type SignInAnswer = { done: true; signedIn: SignedIn } | { done: false; step: SecondStep }

interface StepAnswer {
  data?: { data: SignedIn | SecondStep }
  error?: unknown
  response: Response
}

async function signInAnswer(call: Promise<StepAnswer>): Promise<SignInAnswer> {
  try {
    const { data, error, response } = await call
    if (data === undefined) throw failureFromResponse(response, error)
    return 'ticket' in data.data ? { done: false, step: data.data } : { done: true, signedIn: data.data }
  } catch (cause) {
    throw failureFromException(cause)
  }
}

export function signIn(name: SignInName, password: string): Promise<SignInAnswer> {
  return signInAnswer(api.POST('/api/auth/login', { body: { ...name, password, device: deviceName(), browser: true } }))
}

export function answerSecondStep(step: SecondStep, proof: Proof): Promise<SignedIn> {
  const { ticket, challenge } = step
  const body = { ticket, challenge_id: challenge.challenge_id, device: deviceName(), browser: true, ...proof }
  return unwrap(api.POST('/api/auth/login/second-factor', { body }))
}

/** Exchange the code that a provider's sign-in left in the page's address. Answers as `signIn` does. */
export function exchangeCode(code: string): Promise<SignInAnswer> {
  return signInAnswer(postJson('/api/auth/oauth/exchange', { code, device: deviceName(), browser: true }))
}

/** For a route that `schema.ts` does not know, because only servers with sign-in providers have it. */
async function postJson(path: string, body: object): Promise<StepAnswer> {
  const init = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }
  const response = await sendPlain(new Request(new URL(path, window.location.origin), init))
  const answer: unknown = await response.json()
  return response.ok ? { data: answer as StepAnswer['data'], response } : { error: answer, response }
}

export async function register(displayName: string, email: string, password: string): Promise<void> {
  await unwrap(api.POST('/api/auth/register', { body: { display_name: displayName, email, password } }))
}

/** A new access token, by the cookie. */
export function refresh(): Promise<Access> {
  const body = { device: deviceName() }
  return unwrap(api.POST('/api/auth/refresh', { body, signal: AbortSignal.timeout(RENEWAL_TIMEOUT_MS) }))
}

export function whoIs(token: string): Promise<User> {
  const signal = AbortSignal.timeout(RENEWAL_TIMEOUT_MS)
  return unwrap(api.GET('/api/auth/me', { headers: bearer(token), signal }))
}

export async function signOut(token: string): Promise<void> {
  await unwrap(api.POST('/api/auth/logout', { headers: bearer(token) }))
}

/** The demo customers where the server answers callers who have not signed in; null where it does not. */
export async function findDemo(): Promise<Customer[] | null> {
  try {
    return (await unwrap(api.GET('/api/v2/demo'))).customers
  } catch (cause) {
    const { kind } = failureFromException(cause)
    if (cause instanceof ApiFailure && (kind === 'signed-out' || kind === 'denied' || kind === 'gone')) return null
    throw cause
  }
}

function bearer(token: string): { Authorization: string } {
  return { Authorization: `Bearer ${token}` }
}
