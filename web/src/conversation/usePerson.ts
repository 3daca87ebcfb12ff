import { type Dispatch, useEffect } from 'react'
import { listMessages, readSession } from '../api/client'
import type { Action, Conversation } from './state'

const LISTEN_EVERY_MS = 4000

/** Listen for a person's words while one answers. A question that fails is asked again with the next. */
export function usePerson({ sessionId, handoff, status }: Conversation, dispatch: Dispatch<Action>): void {
  const listening = handoff !== null && status === 'idle'
  useEffect(() => {
    if (!listening || sessionId === null) return
    const controller = new AbortController()
    const { signal } = controller
    const listen = async () => {
      try {
        const [session, messages] = await Promise.all([readSession(sessionId, signal), listMessages(sessionId, signal)])
        if (!signal.aborted) dispatch({ type: 'heard', sessionId, messages, handoff: session.handoff })
      } catch {
        return
      }
    }
    const timer = window.setInterval(() => void listen(), LISTEN_EVERY_MS)
    return () => {
      window.clearInterval(timer)
      controller.abort()
    }
  }, [listening, sessionId, dispatch])
}
