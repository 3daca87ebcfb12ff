import { type ApiFailure, failureFromException } from '../api/failure'
import { sendPlain } from '../api/http'
import * as identity from '../api/identity'
import type { Access, Customer, Proof, SecondStep, User } from '../api/types'
import { forgetConversation, markSignedIn, mayBeSignedIn, takeReturnPage, writeReturnPage } from '../lib/storage'
import { providerTitle } from './providers'
import { inTurn, tabs } from './tabs'

const ASK_AGAIN_MS = 4000
const RENEW_BEFORE_S = 60
const SIGN_IN_CODE = '#sign_in_code='
const LINKED = '#linked='

/** Why a sign-in is asked for again: it ended, the server wants one of late, or a second factor has just been set up. */
export type WhyAgain = 'ended' | 'asked' | 'enrolled'

export type Standing =
  /** Nobody knows yet. `unreachable`: the server did not answer; it is asked again. */
  | { name: 'starting'; unreachable: boolean }
  /** The server answers without a sign-in: development only. */
  | { name: 'demo'; customers: Customer[] }
  | { name: 'signed-out' }
  /** The session ended. Whose it was may go on after signing in again. */
  | { name: 'expired'; user: User; why: WhyAgain }
  | { name: 'signed-in'; user: User }

export interface SessionView {
  standing: Standing
  /** The second step that a sign-in waits for. */
  step: SecondStep | null
  /** What the person must be told beside the sign-in form. */
  notice: string | null
  /** The provider whose account has just been linked to the person's, as people call it. */
  linked: string | null
}

/**
 * Who uses the page. The access token is held here, in memory, and nowhere else; the refresh token is a cookie that no
 * script can read. Every request to the bank goes through `send`.
 */
export class BankSession {
  #view: SessionView = { standing: { name: 'starting', unreachable: false }, step: null, notice: null, linked: null }
  #token: string | null = null
  #renewAt = Infinity
  #renewal: Promise<void> | null = null
  #timer: number | undefined
  /** Counts who was let in or out: what a request brings back for an earlier turn is not used. */
  #turn = 0
  readonly #listeners = new Set<() => void>()

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  readonly view = (): SessionView => this.#view

  /** Begin: with the code in the address, else the session of the cookie, else the demo or the sign-in form. */
  async start(): Promise<void> {
    tabs.listen((message) => this.#hear(message))
    this.#enter({ name: 'starting', unreachable: false })
    this.#show({ linked: takeLinked() })
    const code = takeSignInCode()
    if (code !== null) await this.#exchange(code)
    else await this.#resume()
  }

  /** Sign in. The second step, if there is one, is then in `view().step`. Throws ApiFailure. */
  async signIn(name: identity.SignInName, password: string): Promise<void> {
    this.#take(await identity.signIn(name, password))
  }

  /** Answer the second step. Throws ApiFailure. */
  async answer(proof: Proof): Promise<void> {
    const { step } = this.#view
    if (step === null) return
    const signedIn = await identity.answerSecondStep(step, proof)
    this.#admit(signedIn, signedIn.user)
  }

  /** Leave the second step; the password has to be given again. */
  abandonStep(): void {
    this.#show({ step: null })
  }

  /** End the session on the server and forget the person here, whether or not the server could be told. */
  async signOut(): Promise<void> {
    const token = this.#token
    this.#leave()
    tabs.tell('signed-out')
    if (token !== null && !(await endOnServer(token))) {
      this.#show({
        notice:
          'You are signed out on this page. The bank could not be told, so the session may last on the server: ' +
          'sign in and out again when you are connected.',
      })
    }
    await this.#settle()
  }

  /** Let the person prove anew who they are, with what they typed kept. */
  async signInAgain(why: 'asked' | 'enrolled' = 'asked'): Promise<void> {
    const { standing } = this.#view
    if (standing.name !== 'signed-in' || this.#token === null) return
    const turn = this.#turn
    await endOnServer(this.#token)
    if (turn !== this.#turn) return
    markSignedIn(false)
    this.#enter({ name: 'expired', user: standing.user, why })
  }

  dismissNotice(): void {
    this.#show({ notice: null, linked: null })
  }

  /** Send a request of the page as the person who is signed in. One that is refused is sent once more, renewed. */
  async send(request: Request): Promise<Response> {
    if (this.#token === null) return this.#sendUnsigned(request)
    const turn = this.#turn
    if (Date.now() >= this.#renewAt) await settled(this.#renew())
    const token = this.#token
    if (token === null || turn !== this.#turn) return refused()
    const again = request.clone()
    const response = await sendPlain(signed(request, token))
    if (response.status !== 401) return response
    if (this.#token === token) await this.#renew()
    if (this.#token === null || turn !== this.#turn) return response
    return sendPlain(signed(again, this.#token))
  }

  async #sendUnsigned(request: Request): Promise<Response> {
    const response = await sendPlain(request)
    if (response.status === 401 && this.#view.standing.name === 'demo') void this.#settle()
    return response
  }

  async #resume(): Promise<void> {
    if (!mayBeSignedIn()) return this.#settle()
    const turn = this.#turn
    try {
      await this.#renew()
    } catch {
      if (turn === this.#turn) this.#askAgain(() => this.#resume())
    }
  }

  async #exchange(code: string): Promise<void> {
    try {
      this.#take(await identity.exchangeCode(code))
      if (this.#view.step !== null) this.#enter({ name: 'signed-out' }, this.#view.step)
    } catch (cause) {
      await this.#settle()
      this.#show({ notice: failureFromException(cause).message })
    }
  }

  /** Nobody is signed in: find out whether the server wants a sign-in. */
  async #settle(): Promise<void> {
    const turn = this.#turn
    try {
      const customers = await identity.findDemo()
      if (turn !== this.#turn) return
      this.#enter(customers === null ? { name: 'signed-out' } : { name: 'demo', customers })
    } catch {
      if (turn === this.#turn) this.#askAgain(() => this.#settle())
    }
  }

  #askAgain(ask: () => Promise<void>): void {
    this.#show({ standing: { name: 'starting', unreachable: true } })
    window.clearTimeout(this.#timer)
    this.#timer = window.setTimeout(ask, ASK_AGAIN_MS)
  }

  #take(answer: identity.SignInAnswer): void {
    if (answer.done) this.#admit(answer.signedIn, answer.signedIn.user)
    else this.#show({ step: answer.step, notice: null })
  }

  #admit(access: Access, user: User): void {
    this.#hold(access, user)
    tabs.tell('signed-in')
  }

  #hold({ access_token, expires_in }: Access, user: User): void {
    const { standing } = this.#view
    if (standing.name !== 'signed-in' || !isSame(standing.user, user)) this.#enter({ name: 'signed-in', user })
    markSignedIn(true)
    this.#token = access_token
    const renewInMs = (expires_in - Math.min(RENEW_BEFORE_S, expires_in / 5)) * 1000
    this.#renewAt = Date.now() + renewInMs
    window.clearTimeout(this.#timer)
    this.#timer = window.setTimeout(() => void settled(this.#renew()), renewInMs)
  }

  /** One renewal at a time, here and over all tabs. Throws ApiFailure where the server could not be asked. */
  #renew(): Promise<void> {
    this.#renewal ??= inTurn(() => this.#renewNow()).finally(() => {
      this.#renewal = null
    })
    return this.#renewal
  }

  async #renewNow(): Promise<void> {
    const turn = this.#turn
    try {
      const access = await identity.refresh()
      const user = await identity.whoIs(access.access_token)
      if (turn === this.#turn) this.#hold(access, user)
    } catch (cause) {
      const failure = failureFromException(cause)
      if (failure.kind !== 'signed-out' && failure.kind !== 'denied') throw failure
      if (turn === this.#turn) await this.#end(failure)
    }
  }

  async #end({ kind, message }: ApiFailure): Promise<void> {
    const { standing } = this.#view
    markSignedIn(false)
    if (standing.name === 'signed-in') {
      this.#enter({ name: 'expired', user: standing.user, why: 'ended' })
      return
    }
    await this.#settle()
    if (kind === 'denied') this.#show({ notice: message })
  }

  /** Forget the person, and what the page stored of them. */
  #leave(): void {
    markSignedIn(false)
    forgetConversation()
    writeReturnPage(null)
    this.#enter({ name: 'starting', unreachable: false })
  }

  #hear(message: 'signed-in' | 'signed-out'): void {
    const { name } = this.#view.standing
    if (message === 'signed-out' && (name === 'signed-in' || name === 'expired')) {
      this.#leave()
      void this.#settle()
    }
    if (message === 'signed-in' && (name === 'signed-in' || name === 'expired' || name === 'signed-out')) {
      void settled(this.#renew())
    }
  }

  #enter(standing: Standing, step: SecondStep | null = null): void {
    this.#turn += 1
    this.#token = null
    this.#renewAt = Infinity
    window.clearTimeout(this.#timer)
    const isTold = standing.name === 'signed-in' || standing.name === 'expired'
    const { standing: before, notice, linked } = this.#view
    this.#show({ standing, step, notice: isTold ? null : notice, linked: before.name === 'starting' ? linked : null })
  }

  #show(change: Partial<SessionView>): void {
    this.#view = { ...this.#view, ...change }
    for (const listener of this.#listeners) listener()
  }
}

export const bankSession = new BankSession()

function signed(request: Request, token: string): Request {
  request.headers.set('Authorization', `Bearer ${token}`)
  return request
}

function refused(): Response {
  return new Response(null, { status: 401 })
}

/** Whether it is the same person, who may use the same part of the page. */
function isSame(one: User, other: User): boolean {
  return one.id === other.id && one.second_factor_required === other.second_factor_required
}

async function settled(work: Promise<unknown>): Promise<boolean> {
  try {
    await work
    return true
  } catch {
    return false
  }
}

/** Whether the server knows that the session has ended. */
async function endOnServer(token: string): Promise<boolean> {
  try {
    await identity.signOut(token)
    return true
  } catch (cause) {
    return failureFromException(cause).kind === 'signed-out' && settled(inTurn(renewAndSignOut))
  }
}

/** The access token is over; the session need not be. A refused renewal says that it is. */
async function renewAndSignOut(): Promise<void> {
  try {
    const { access_token } = await identity.refresh()
    await identity.signOut(access_token)
  } catch (cause) {
    if (failureFromException(cause).kind !== 'signed-out') throw cause
  }
}

/** The one-time code that a provider's sign-in leaves in the fragment; the address is then that of before it. */
function takeSignInCode(): string | null {
  const code = takeFragment(SIGN_IN_CODE)
  const page = takeReturnPage()
  if (code !== null && page !== null) window.history.replaceState(null, '', `#${page}`)
  return code
}

/** The provider that the server's redirect after linking names. */
function takeLinked(): string | null {
  const name = takeFragment(LINKED)
  return name === null ? null : providerTitle(name)
}

/** What follows the mark in the fragment, which no server sees; the address is cleaned. */
function takeFragment(mark: string): string | null {
  const { hash, pathname, search } = window.location
  if (!hash.startsWith(mark)) return null
  window.history.replaceState(null, '', pathname + search)
  return hash.slice(mark.length)
}
