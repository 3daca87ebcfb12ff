import { vi } from 'vitest'
import type { Challenge, ChatReply, ChatRequest, Factors, OwnSession, Session, StoredMessage, User } from '../api/types'
import { FakeMoney } from './fakeMoney'

export const SESSION_ID = '0198a000-0000-7000-8000-000000000001'
export const REQUEST_ID = 'req-test-1'

const metadata = { request_id: REQUEST_ID, timestamp: '2025-11-21T10:00:00.000Z', version: '1.0.0' }

export const PASSWORD = 'plum kettle orbit sandal'
export const CODE = '123456'

export const ANA: User = {
  id: '0198a000-0000-7000-8000-00000000a0a0',
  email: 'ana@example.org',
  customer_number: null,
  display_name: 'Ana Morales',
  account_type: 'user',
  second_factor_required: false,
  permissions: [],
}

export function ownSession(changes: Partial<OwnSession> = {}): OwnSession {
  return {
    id: '0198a000-0000-7000-8000-0000000000c1',
    device: 'Firefox on Linux',
    started_at: '2025-11-20T10:00:00.000Z',
    last_used_at: '2025-11-21T09:30:00.000Z',
    expires_at: '2025-12-20T10:00:00.000Z',
    methods: ['pwd'],
    current: false,
    ...changes,
  }
}

export const HERE = ownSession({ id: '0198a000-0000-7000-8000-0000000000c0', device: 'Safari on macOS', current: true })

/** The answer to what needs a sign-in of late. */
export const SIGN_IN_AGAIN = {
  status: 403,
  message: 'Ending another session needs a sign-in of the last 15 minutes. Sign in again.',
  code: 'STEP_UP_REQUIRED',
  details: { reason: 'sign_in_again' },
}

export const PROVIDER_URL = 'https://provider.example/authorize?state=s'

export interface Failing {
  status: number
  message: string
  code?: string
  details?: Record<string, unknown>
}

export const TOTP_URI = 'otpauth://totp/Harborlight:ana%40example.org?secret=ABCDEFGHIJKLMNOP&issuer=Harborlight'

const NOT_OURS = { status: 403, message: 'The header X-Requested-With is missing.' }
const UNAUTHENTICATED = { status: 401, message: 'Sign in first.', code: 'UNAUTHENTICATED' }
export const WRONG_PASSWORD = {
  status: 401,
  message: 'The sign-in name or the password is wrong. Check both and try again.',
  code: 'UNAUTHENTICATED',
}
const SIGN_IN_OVER = { status: 401, message: 'This sign-in is over. Begin again.', code: 'UNAUTHENTICATED' }
const WRONG_CODE = {
  status: 403,
  message: "The code or the passkey's answer does not hold. Try again.",
  code: 'STEP_UP_REQUIRED',
  details: { reason: 'wrong', attempts_left: 4 },
}

function challenge(): Challenge {
  return { challenge_id: 'challenge', methods: ['totp'], expires_at: '2030-01-01T00:00:00.000Z', webauthn: null }
}

export class FakeBank {
  readonly asked: ChatRequest[] = []
  readonly listedFor: (string | null)[] = []
  sessions: Session[] = []
  messages: StoredMessage[] = []
  demo = true
  chatFailures: (Failing | 'offline')[] = []
  messagesFailure: Failing | null = null
  reply: Partial<ChatReply> = {}

  user = ANA
  /** Whether the browser's cookie is that of a session that lasts. */
  cookie = false
  /** The access tokens that the server takes. */
  tokens = new Set<string>()
  asksSecondFactor = false
  expiresIn = 600
  factors: Factors = { totp: false, passkeys: [] }
  factorFailures: Failing[] = []
  /** Where the person is signed in. */
  places: OwnSession[] = [HERE]
  placesFailures: Failing[] = []
  linkFailures: Failing[] = []
  /** What the page called its browser, in each request that says so. */
  readonly devices: unknown[] = []
  registerFailure: Failing | null = null
  offline = false
  handoff: Session['handoff'] = null
  readonly money = new FakeMoney()
  readonly calls: string[] = []
  /** Holds back who the caller is, once that is found. */
  meGate: Promise<void> = Promise.resolve()

  install(): this {
    vi.stubGlobal('fetch', async (request: Request) => withAbort(await this.answer(request), request.signal))
    return this
  }

  private async answer(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    const route = `${request.method} ${pathname.replace(SESSION_ID, '{id}')}`
    this.calls.push(route)
    if (this.offline) throw new TypeError('Failed to fetch')
    if (request.headers.get('X-Requested-With') !== 'llm-banking') return failure(NOT_OURS)
    if (pathname.startsWith('/api/auth/')) return this.identity(route, request)
    const authorization = request.headers.get('Authorization')
    if (authorization === null ? !this.demo : !this.admits(authorization)) return failure(UNAUTHENTICATED)
    switch (route) {
      case 'GET /api/v2/demo':
        return success({ customers: [{ id: 'CUST001', name: 'Ana Morales', account_type: 'premium' }] })
      case 'GET /api/v2/intents':
        return success({ items: [] })
      case 'GET /api/v2/sessions':
        this.listedFor.push(searchParams.get('user_id'))
        return success({ items: this.sessions, next_cursor: null })
      case 'POST /api/v2/chat':
        return this.chat((await request.json()) as ChatRequest)
      case 'GET /api/v2/sessions/{id}':
        return success(session({ handoff: this.handoff }))
      case 'POST /api/v2/sessions/{id}/hand-back':
        this.handoff = null
        return success(session())
      case 'GET /api/v2/sessions/{id}/messages':
        return this.messagesFailure
          ? failure(this.messagesFailure)
          : success({ items: this.messages, next_cursor: null })
      case 'PATCH /api/v2/sessions/{id}':
        return success({ ...this.sessions[0], ...((await request.json()) as { title: string }) })
      case 'DELETE /api/v2/sessions/{id}':
        return success({ id: SESSION_ID, deleted: true })
      default:
        return this.banking(route, request)
    }
  }

  private async banking(route: string, request: Request): Promise<Response> {
    const text = await request.text()
    const answer = this.money.answer(route, text === '' ? null : JSON.parse(text))
    if (answer === undefined) throw new Error(`The fake bank does not answer ${route}.`)
    if (answer === 'offline') throw new TypeError('Failed to fetch')
    return isFailing(answer) ? failure(answer) : success(answer)
  }

  /** As if the session had been ended from elsewhere. */
  endSession(): void {
    this.cookie = false
    this.tokens.clear()
  }

  private admits(authorization: string | null): boolean {
    return this.tokens.has(authorization?.replace('Bearer ', '') ?? '')
  }

  private issue() {
    const access_token = `token-${this.calls.length}`
    this.tokens.add(access_token)
    this.cookie = true
    return { access_token, token_type: 'Bearer', expires_in: this.expiresIn, refresh_token: null, user: this.user }
  }

  private async identity(route: string, request: Request): Promise<Response> {
    const text = await request.text()
    const body = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>
    if ('device' in body) this.devices.push(body.device)
    switch (route) {
      case 'POST /api/auth/register':
        return this.registerFailure
          ? failure(this.registerFailure)
          : success({ status: 'accepted' }, 202)
      case 'POST /api/auth/login':
        if (body.password !== PASSWORD) return failure(WRONG_PASSWORD)
        return this.firstStepDone()
      case 'POST /api/auth/oauth/exchange':
        return body.code === 'good-code' ? this.firstStepDone() : failure(WRONG_PASSWORD)
      case 'POST /api/auth/login/second-factor':
        if (body.ticket !== 'ticket') return failure(SIGN_IN_OVER)
        return body.code === CODE ? success(this.issue()) : failure(this.factorFailures.shift() ?? WRONG_CODE)
      case 'POST /api/auth/refresh':
        if (!this.cookie) return failure(UNAUTHENTICATED)
        return success(this.issue())
    }
    if (!this.admits(request.headers.get('Authorization'))) return failure(UNAUTHENTICATED)
    switch (route) {
      case 'GET /api/auth/me':
        await this.meGate
        return success(this.user)
      case 'POST /api/auth/logout':
        this.endSession()
        return success({ signed_out: true })
    }
    if (route.includes(' /api/auth/sessions')) return this.ownSessions(route)
    if (route === 'POST /api/auth/oauth/google/link') {
      const refusal = this.linkFailures.shift()
      return refusal ? failure(refusal) : success({ authorization_url: PROVIDER_URL, expires_in: 600 })
    }
    const problem = this.factorFailures.shift()
    if (problem) return failure(problem)
    switch (route) {
      case 'GET /api/auth/mfa/status':
        return success(this.factors)
      case 'POST /api/auth/mfa/step-up':
        return success(challenge())
      case 'POST /api/auth/mfa/totp/enrol':
        return success({ secret: 'ABCDEFGHIJKLMNOP', uri: TOTP_URI, expires_at: metadata.timestamp })
      case 'POST /api/auth/mfa/totp/confirm':
        if (body.code !== CODE) return failure({ status: 422, message: 'The code is wrong.', code: 'INVALID_REQUEST' })
        this.factors = { ...this.factors, totp: true }
        return success(this.factors)
      case 'POST /api/auth/mfa/totp/disable':
        if ((body.step_up as { code?: string }).code !== CODE) return failure(WRONG_CODE)
        this.factors = { ...this.factors, totp: false }
        return success(this.factors)
      default:
        throw new Error(`The fake bank does not answer ${route}.`)
    }
  }

  private ownSessions(route: string): Response {
    const problem = this.placesFailures.shift()
    if (problem) return failure(problem)
    if (route === 'GET /api/auth/sessions') return success({ items: this.places })
    const before = this.places.length
    if (route === 'POST /api/auth/sessions/others/end') this.places = this.places.filter(({ current }) => current)
    else this.places = this.places.filter(({ id }) => route !== `DELETE /api/auth/sessions/${id}`)
    const ended = before - this.places.length
    if (ended > 0 || route.startsWith('POST')) return success({ ended })
    return failure({ status: 404, message: 'You have no such session, or it is over.', code: 'NOT_FOUND' })
  }

  private firstStepDone(): Response {
    if (!this.asksSecondFactor) return success(this.issue())
    return success({ ticket: 'ticket', challenge: challenge() }, 202)
  }

  private chat(request: ChatRequest): Response {
    this.asked.push(request)
    const problem = this.chatFailures.shift()
    if (problem === 'offline') throw new TypeError('Failed to fetch')
    return problem ? failure(problem) : success(chatReply(this.reply))
  }
}

export function chatReply(changes: Partial<ChatReply> = {}): ChatReply {
  return {
    response: 'Your Everyday Checking ending in 4821 holds $4,318.42.',
    intent: 'check_balance',
    confidence: 0.972,
    suggested_next_steps: ['Show my latest transactions'],
    session_id: SESSION_ID,
    message_id: '0198a000-0000-7000-8000-0000000000aa',
    citations: [{ kind: 'account', id: 'a-1', text: 'Everyday Checking ending in 4821' }],
    metadata: { processing_time_ms: 183.4, model_version: 'nlu-1', engine: 'template', in_scope: true, cached: false, requests: [{ intent: 'check_balance', confidence: 0.972, text: 'What is my balance?' }] },
    ...changes,
  }
}

export function session(changes: Partial<Session> = {}): Session {
  return {
    id: SESSION_ID,
    title: 'My card has not arrived yet',
    message_count: 2,
    created_at: '2025-11-20T10:00:00.000Z',
    last_message_at: '2025-11-20T10:00:00.000Z',
    handoff: null,
    ...changes,
  }
}

export function storedMessage(changes: Partial<StoredMessage> = {}): StoredMessage {
  return {
    id: 'm-1',
    role: 'assistant',
    content: 'A new card takes five days.',
    intent: 'card_arrival',
    confidence: 0.9,
    suggested_next_steps: [],
    created_at: '2025-11-20T10:00:00.000Z',
    ...changes,
  }
}

/** As in a browser, an answer cannot be read any more once its request was aborted. */
async function withAbort(response: Response, signal: AbortSignal): Promise<Response> {
  const bytes = new Uint8Array(await response.arrayBuffer())
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (signal.aborted) return controller.error(new DOMException('The request was aborted.', 'AbortError'))
        controller.enqueue(bytes)
        controller.close()
      },
    },
    { highWaterMark: 0 },
  )
  return new Response(body, response)
}

function isFailing(answer: unknown): answer is Failing {
  return typeof (answer as Failing).message === 'string'
}

function success(data: unknown, status = 200): Response {
  const now = { ...metadata, timestamp: new Date().toISOString() }
  return Response.json({ success: true, data, metadata: now }, { status })
}

function failure({ status, message, code = 'ERROR', details = {} }: Failing): Response {
  return Response.json({ success: false, error: { code, message, details }, metadata }, { status })
}
