import { useCallback, useEffect, useRef, useState } from 'react'
import { deleteSession, listSessions, renameSession } from '../api/client'
import { type ApiFailure, failureFromException } from '../api/failure'
import type { Session } from '../api/types'

export interface SessionList {
  sessions: Session[]
  hasMore: boolean
  loaded: boolean
  failure: ApiFailure | null
  refresh: () => void
  loadMore: () => void
  rename: (id: string, title: string) => Promise<void>
  remove: (id: string) => Promise<void>
}

interface Loaded {
  sessions: Session[]
  cursor: string | null
  loaded: boolean
  failure: ApiFailure | null
}

const nothing: Loaded = { sessions: [], cursor: null, loaded: false, failure: null }

export function useSessions(owner: string | null): SessionList {
  const [list, setList] = useState(nothing)
  const latest = useRef(0)

  const fetchPage = useCallback(
    async (cursor: string | null) => {
      latest.current += 1
      const turn = latest.current
      try {
        const page = await listSessions(owner, cursor)
        if (turn !== latest.current) return
        setList((before) => ({
          sessions: cursor ? [...before.sessions, ...page.items] : page.items,
          cursor: page.next_cursor,
          loaded: true,
          failure: null,
        }))
      } catch (cause) {
        if (turn !== latest.current) return
        setList((before) => ({ ...before, loaded: true, failure: failureFromException(cause) }))
      }
    },
    [owner],
  )

  useEffect(() => {
    setList(nothing)
    void fetchPage(null)
  }, [fetchPage])

  const refresh = useCallback(() => void fetchPage(null), [fetchPage])

  const change = async (work: () => Promise<unknown>, apply: (sessions: Session[]) => Session[]) => {
    try {
      await work()
      setList((before) => ({ ...before, sessions: apply(before.sessions), failure: null }))
    } catch (cause) {
      const failure = failureFromException(cause)
      if (failure.kind === 'gone') refresh()
      else setList((before) => ({ ...before, failure }))
      throw failure
    }
  }

  return {
    sessions: list.sessions,
    hasMore: list.cursor !== null,
    loaded: list.loaded,
    failure: list.failure,
    refresh,
    loadMore: () => void fetchPage(list.cursor),
    rename: (id, title) =>
      change(
        () => renameSession(id, title),
        (sessions) => sessions.map((session) => (session.id === id ? { ...session, title } : session)),
      ),
    remove: (id) =>
      change(
        () => deleteSession(id),
        (sessions) => sessions.filter((session) => session.id !== id),
      ),
  }
}
