import { useCallback, useEffect, useReducer, useRef } from 'react'
import { listOperations } from '../api/banking'
import { listMessages, readSession, sendChat, takeBack } from '../api/client'
import { failureFromException } from '../api/failure'
import type { OperationPage } from '../api/types'
import { readConversationId, writeConversationId } from '../lib/storage'
import type { Draft } from './draft'
import { type Conversation, emptyConversation, reduce, undelivered } from './state'
import { usePerson } from './usePerson'

const NO_OPERATIONS: Pick<OperationPage, 'items'> = { items: [] }

export interface ConversationActions {
  conversation: Conversation
  send: (text: string) => void
  retry: () => void
  withdraw: () => string
  open: (sessionId: string) => void
  startNew: () => void
  /** Go on with the assistant instead of a person. */
  takeBack: () => Promise<void>
}

interface ConversationOptions {
  /** Named in each request; null where the caller is the customer. */
  customerId: string | null
  /** Whose conversation this tab remembers. */
  owner: string
  /** Whether the caller has operations that may wait. */
  banks: boolean
  draft: Draft
  onAnswered: () => void
}

export function useConversation({
  customerId,
  owner,
  banks,
  draft,
  onAnswered,
}: ConversationOptions): ConversationActions {
  const [conversation, dispatch] = useReducer(reduce, emptyConversation)
  const inFlight = useRef<AbortController | null>(null)
  const sentCount = useRef(0)
  const { sessionId } = conversation

  const beginRequest = useCallback(() => {
    inFlight.current?.abort()
    const controller = new AbortController()
    inFlight.current = controller
    return controller.signal
  }, [])

  const deliver = useCallback(
    async (key: string, text: string) => {
      const signal = beginRequest()
      draft.send(owner, text)
      dispatch({ type: 'sending', key, text, at: new Date().toISOString() })
      try {
        const reply = await sendChat({ message: text, user_id: customerId, session_id: sessionId }, signal)
        if (signal.aborted) return
        draft.settle()
        writeConversationId(owner, reply.session_id)
        dispatch({ type: 'answered', key, reply, at: new Date().toISOString() })
        onAnswered()
      } catch (cause) {
        if (signal.aborted) return
        const failure = failureFromException(cause)
        if (failure.kind !== 'signed-out') draft.settle()
        dispatch({ type: 'sendFailed', key, failure })
      }
    },
    [beginRequest, customerId, draft, owner, onAnswered, sessionId],
  )

  const open = useCallback(
    async (id: string) => {
      const signal = beginRequest()
      draft.settle()
      dispatch({ type: 'opening', sessionId: id })
      try {
        const [messages, session, operations] = await Promise.all([
          listMessages(id, signal),
          readSession(id, signal),
          banks ? listOperations(null) : NO_OPERATIONS,
        ])
        if (signal.aborted) return
        writeConversationId(owner, id)
        const waiting = operations.items.filter(({ status }) => status === 'pending')
        dispatch({ type: 'opened', messages, waiting, handoff: session.handoff })
      } catch (cause) {
        if (signal.aborted) return
        const failure = failureFromException(cause)
        if (failure.kind === 'gone') writeConversationId(owner, null)
        dispatch({ type: 'openFailed', failure })
      }
    },
    [banks, beginRequest, draft, owner],
  )

  const startNew = useCallback(() => {
    inFlight.current?.abort()
    draft.settle()
    writeConversationId(owner, null)
    dispatch({ type: 'started' })
  }, [draft, owner])

  useEffect(() => {
    const stored = readConversationId(owner)
    if (stored) void open(stored)
    else dispatch({ type: 'started' })
    return () => inFlight.current?.abort()
  }, [owner, open])

  const failed = undelivered(conversation)
  usePerson(conversation, dispatch)

  return {
    conversation,
    send: (text) => {
      sentCount.current += 1
      void deliver(`sent-${sentCount.current}`, text)
    },
    retry: () => {
      if (failed) void deliver(failed.key, failed.text)
      else if (sessionId) void open(sessionId)
    },
    withdraw: () => {
      if (failed) dispatch({ type: 'withdrawn', key: failed.key })
      return failed?.text ?? ''
    },
    open: (id) => void open(id),
    startNew,
    takeBack: async () => {
      if (sessionId === null) return
      await takeBack(sessionId)
      dispatch({ type: 'heard', sessionId, messages: [], handoff: null })
    },
  }
}
