import { api } from './bankApi'
import { unwrap } from './http'
import type { DeskConversation, DeskItem, StoredMessage } from './types'

const MESSAGES_PER_PAGE = 100

/** Who waits for a person, and whom the caller has taken; who waits longest comes first. */
export async function listQueue(): Promise<DeskItem[]> {
  return (await unwrap(api.GET('/api/v2/agent/queue', { params: { query: { limit: 50 } } }))).items
}

export function takeHandoff(handoffId: string): Promise<DeskItem> {
  return unwrap(api.POST('/api/v2/agent/handoffs/{handoff_id}/take', { params: at(handoffId) }))
}

/** A conversation in the caller's hands, with all its messages. */
export async function readHandoff(handoffId: string): Promise<DeskConversation> {
  const items: StoredMessage[] = []
  let cursor: string | undefined
  for (;;) {
    const params = { ...at(handoffId), query: { limit: MESSAGES_PER_PAGE, cursor } }
    const found = await unwrap(api.GET('/api/v2/agent/handoffs/{handoff_id}', { params }))
    items.push(...found.messages.items)
    cursor = found.messages.next_cursor ?? undefined
    if (cursor === undefined) return { ...found, messages: { items, next_cursor: null } }
  }
}

export async function replyToCustomer(handoffId: string, text: string): Promise<void> {
  await unwrap(api.POST('/api/v2/agent/handoffs/{handoff_id}/reply', { params: at(handoffId), body: { text } }))
}

/** Give the conversation back to the assistant. */
export async function handBack(handoffId: string): Promise<void> {
  await unwrap(api.POST('/api/v2/agent/handoffs/{handoff_id}/hand-back', { params: at(handoffId) }))
}

function at(handoffId: string) {
  return { path: { handoff_id: handoffId } }
}
