import { useCallback, useEffect, useRef, useState } from 'react'
import { failureFromException } from '../api/failure'

interface Page<T> {
  items: T[]
  next_cursor: string | null
}

export interface Paged<T> {
  /** Null until the first page is there. */
  items: T[] | null
  hasMore: boolean
  busy: boolean
  problem: string | null
  /** The next page, or again the one that failed. */
  more: () => void
}

/** A list that comes page by page. `load` must stay the same function. */
export function usePaged<T>(load: (cursor: string | null) => Promise<Page<T>>): Paged<T> {
  const [page, setPage] = useState<{ items: T[] | null; cursor: string | null }>({ items: null, cursor: null })
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<string | null>(null)
  const latest = useRef(0)

  const fetchPage = useCallback(
    async (cursor: string | null) => {
      latest.current += 1
      const turn = latest.current
      setBusy(true)
      setProblem(null)
      try {
        const { items, next_cursor } = await load(cursor)
        if (turn !== latest.current) return
        setPage((before) => ({ items: cursor ? [...(before.items ?? []), ...items] : items, cursor: next_cursor }))
      } catch (cause) {
        if (turn === latest.current) setProblem(failureFromException(cause).message)
      } finally {
        if (turn === latest.current) setBusy(false)
      }
    },
    [load],
  )

  useEffect(() => {
    setPage({ items: null, cursor: null })
    void fetchPage(null)
    return () => {
      latest.current += 1
    }
  }, [fetchPage])

  return {
    items: page.items,
    hasMore: page.cursor !== null,
    busy,
    problem,
    more: () => {
      if (!busy) void fetchPage(page.cursor)
    },
  }
}
