import { useCallback, useEffect, useReducer, useRef } from 'react'
import { listMessages, sendChat } from '../api/client'
import { failureFromException } from '../api/failure'
import { readConversationId, writeConversationId } from '../lib/storage'
import { type Conversation, emptyConversation, reduce, undelivered } from './state'

export interface ConversationActions {
  conversation: Conversation
  send: (text: string) => void
  retry: () => void
  withdraw: () => string
  open: (sessionId: string) => void
  startNew: () => void
}

export function useConversation(customerId: string | null, onAnswered: () => void): ConversationActions {
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
      dispatch({ type: 'sending', key, text, at: new Date().toISOString() })
      try {
        const reply = await sendChat({ message: text, user_id: customerId, session_id: sessionId }, signal)
        if (signal.aborted) return
        writeConversationId(customerId, reply.session_id)
        dispatch({ type: 'answered', key, reply, at: new Date().toISOString() })
        onAnswered()
      } catch (cause) {
        if (!signal.aborted) dispatch({ type: 'sendFailed', key, failure: failureFromException(cause) })
      }
    },
    [beginRequest, customerId, onAnswered, sessionId],
  )

  const open = useCallback(
    async (id: string) => {
      const signal = beginRequest()
      dispatch({ type: 'opening', sessionId: id })
      try {
        const messages = await listMessages(id, signal)
        if (signal.aborted) return
        writeConversationId(customerId, id)
        dispatch({ type: 'opened', messages })
      } catch (cause) {
        if (signal.aborted) return
        const failure = failureFromException(cause)
        if (failure.kind === 'gone') writeConversationId(customerId, null)
        dispatch({ type: 'openFailed', failure })
      }
    },
    [beginRequest, customerId],
  )

  const startNew = useCallback(() => {
    inFlight.current?.abort()
    writeConversationId(customerId, null)
    dispatch({ type: 'started' })
  }, [customerId])

  useEffect(() => {
    const stored = readConversationId(customerId)
    if (stored) void open(stored)
    else dispatch({ type: 'started' })
    return () => inFlight.current?.abort()
  }, [customerId, open])

  const failed = undelivered(conversation)

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
  }
}
