import { vi } from 'vitest'
import type { ChatReply, ChatRequest, Session, StoredMessage } from '../api/types'

export const SESSION_ID = '0198a000-0000-7000-8000-000000000001'
export const REQUEST_ID = 'req-test-1'

const metadata = { request_id: REQUEST_ID, timestamp: '2025-11-21T10:00:00.000Z', version: '1.0.0' }

export interface Failing {
  status: number
  message: string
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

  install(): this {
    vi.stubGlobal('fetch', (request: Request) => this.answer(request))
    return this
  }

  private async answer(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    const route = `${request.method} ${pathname.replace(SESSION_ID, '{id}')}`
    switch (route) {
      case 'GET /api/v2/demo':
        return this.demo
          ? success({ customers: [{ id: 'CUST001', name: 'Ana Morales', account_type: 'premium' }] })
          : failure({ status: 403, message: 'This server is not in demo mode.' })
      case 'GET /api/v2/intents':
        return success({ items: [] })
      case 'GET /api/v2/sessions':
        this.listedFor.push(searchParams.get('user_id'))
        return success({ items: this.sessions, next_cursor: null })
      case 'POST /api/v2/chat':
        return this.chat((await request.json()) as ChatRequest)
      case 'GET /api/v2/sessions/{id}/messages':
        return this.messagesFailure
          ? failure(this.messagesFailure)
          : success({ items: this.messages, next_cursor: null })
      case 'PATCH /api/v2/sessions/{id}':
        return success({ ...this.sessions[0], ...((await request.json()) as { title: string }) })
      case 'DELETE /api/v2/sessions/{id}':
        return success({ id: SESSION_ID, deleted: true })
      default:
        throw new Error(`The fake bank does not answer ${route}.`)
    }
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

function success(data: unknown): Response {
  return Response.json({ success: true, data, metadata })
}

function failure({ status, message }: Failing): Response {
  return Response.json({ success: false, error: { code: 'ERROR', message, details: {} }, metadata }, { status })
}
