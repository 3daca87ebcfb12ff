import type { ApiFailure } from '../api/failure'
import type { ChatReply, Citation, Handoff, Operation, Pending, StoredMessage } from '../api/types'

/** A message and what it proposes are stored at most this far apart. */
const SAME_TURN_MS = 60_000

export interface AnswerDetails {
  intent: string
  confidence: number
  live: LiveDetails | null
}

export interface LiveDetails {
  inScope: boolean
  citations: Citation[]
  modelVersion: string
  engine: string
  processingTimeMs: number
}

export interface UserMessage {
  role: 'user'
  key: string
  text: string
  at: string
  delivery: 'pending' | 'sent' | 'failed'
}

export interface AssistantMessage {
  role: 'assistant'
  /** Whether a person of the bank said it. */
  byPerson: boolean
  key: string
  text: string
  at: string
  nextSteps: string[]
  details: AnswerDetails | null
  /** What this message asks the customer to confirm. */
  pending: Pending | null
}

export type Message = UserMessage | AssistantMessage

export interface Trouble {
  during: 'load' | 'send'
  failure: ApiFailure
}

export interface Conversation {
  sessionId: string | null
  status: 'idle' | 'loading' | 'sending'
  messages: Message[]
  trouble: Trouble | null
  /** The person who answers instead of the assistant. */
  handoff: Handoff | null
}

export type Action =
  | { type: 'started' }
  | { type: 'opening'; sessionId: string }
  | { type: 'opened'; messages: StoredMessage[]; waiting: Operation[]; handoff: Handoff | null }
  | { type: 'openFailed'; failure: ApiFailure }
  | { type: 'sending'; key: string; text: string; at: string }
  | { type: 'answered'; key: string; reply: ChatReply; at: string }
  | { type: 'sendFailed'; key: string; failure: ApiFailure }
  | { type: 'withdrawn'; key: string }
  /** What was said in the conversation beside its requests, and who answers now. */
  | { type: 'heard'; sessionId: string; messages: StoredMessage[]; handoff: Handoff | null }

export const emptyConversation: Conversation = {
  sessionId: null,
  status: 'idle',
  messages: [],
  trouble: null,
  handoff: null,
}

export function reduce(state: Conversation, action: Action): Conversation {
  switch (action.type) {
    case 'started':
      return emptyConversation
    case 'opening':
      return { ...emptyConversation, sessionId: action.sessionId, status: 'loading' }
    case 'opened':
      return {
        ...state,
        status: 'idle',
        handoff: action.handoff,
        messages: withPending(action.messages.map(fromStored), action.waiting),
      }
    case 'openFailed':
      return {
        ...state,
        status: 'idle',
        sessionId: action.failure.kind === 'gone' ? null : state.sessionId,
        trouble: { during: 'load', failure: action.failure },
      }
    case 'sending':
      return {
        ...state,
        status: 'sending',
        trouble: null,
        messages: [
          ...without(state.messages, action.key),
          { role: 'user', key: action.key, text: action.text, at: action.at, delivery: 'pending' },
        ],
      }
    case 'answered':
      return {
        ...state,
        status: 'idle',
        sessionId: action.reply.session_id,
        handoff: action.reply.handoff ?? null,
        messages: [...delivered(state.messages, action.key, 'sent'), ...fromReply(action.reply, action.key, action.at)],
      }
    case 'sendFailed':
      return {
        ...state,
        status: 'idle',
        messages: delivered(state.messages, action.key, 'failed'),
        trouble: { during: 'send', failure: action.failure },
      }
    case 'heard':
      if (action.sessionId !== state.sessionId) return state
      return { ...state, handoff: action.handoff, messages: withHeard(state.messages, action.messages) }
    case 'withdrawn':
      return { ...state, trouble: null, messages: without(state.messages, action.key) }
  }
}

export function undelivered(state: Conversation): UserMessage | null {
  const last = state.messages.at(-1)
  return last?.role === 'user' && last.delivery === 'failed' ? last : null
}

function without(messages: Message[], key: string): Message[] {
  return messages.filter((message) => message.key !== key)
}

function delivered(messages: Message[], key: string, delivery: UserMessage['delivery']): Message[] {
  return messages.map((message) =>
    message.role === 'user' && message.key === key ? { ...message, delivery } : message,
  )
}

/** What the assistant says; nothing where it leaves the answer to a person. */
function fromReply(reply: ChatReply, questionKey: string, at: string): AssistantMessage[] {
  if (reply.response === '') return []
  const { metadata } = reply
  const live = {
    inScope: metadata.in_scope,
    citations: reply.citations,
    modelVersion: metadata.model_version,
    engine: metadata.engine,
    processingTimeMs: metadata.processing_time_ms,
  }
  return [
    {
      role: 'assistant',
      byPerson: false,
      key: `${questionKey}:answer`,
      text: reply.response,
      at,
      nextSteps: reply.suggested_next_steps,
      pending: reply.pending ?? null,
      details: { intent: reply.intent, confidence: reply.confidence, live },
    },
  ]
}

/** What a person said since, at the end: the customer's and the assistant's words are there already. */
function withHeard(messages: Message[], stored: StoredMessage[]): Message[] {
  const known = new Set(messages.map(({ key }) => key))
  const heard = stored.filter(({ role, id }) => role === 'agent' && !known.has(id))
  return heard.length === 0 ? messages : [...messages, ...heard.map(fromStored)]
}

function fromStored(stored: StoredMessage): Message {
  const { id: key, content: text, created_at: at } = stored
  if (stored.role === 'user') return { role: 'user', key, text, at, delivery: 'sent' }
  const { intent, confidence } = stored
  const details = intent !== null && confidence !== null ? { intent, confidence, live: null } : null
  const byPerson = stored.role === 'agent'
  return { role: 'assistant', byPerson, key, text, at, nextSteps: stored.suggested_next_steps, details, pending: null }
}

/** Put each operation that still waits under the last message that shows it: stored messages name none. */
function withPending(messages: Message[], waiting: Operation[]): Message[] {
  const shown = [...messages]
  for (const pending of waiting) {
    const since = Date.parse(pending.created_at) - SAME_TURN_MS
    const place = shown.findLastIndex(
      (one) =>
        one.role === 'assistant' &&
        one.pending === null &&
        one.text.includes(pending.summary) &&
        Date.parse(one.at) >= since,
    )
    const message = shown[place]
    if (message?.role === 'assistant') shown[place] = { ...message, pending }
  }
  return shown
}
