import createClient from 'openapi-fetch'
import { failureFromException, failureFromResponse } from './failure'
import type { paths } from './schema'
import type { ChatReply, ChatRequest, Customer, Intent, Session, SessionPage, StoredMessage } from './types'

const MESSAGES_PER_PAGE = 100

const api = createClient<paths>({
  baseUrl: window.location.origin,
  fetch: (request) => fetch(request),
})

interface Answer<T> {
  data?: { data: T }
  error?: unknown
  response: Response
}

async function unwrap<T>(call: Promise<Answer<T>>): Promise<T> {
  try {
    const { data, error, response } = await call
    if (data === undefined) throw failureFromResponse(response, error)
    return data.data
  } catch (cause) {
    throw failureFromException(cause)
  }
}

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

export async function listDemoCustomers(): Promise<Customer[]> {
  return (await unwrap(api.GET('/api/v2/demo'))).customers
}
