import { useCallback, useEffect, useState } from 'react'
import { failureFromException } from '../api/failure'

export interface Loaded<T> {
  /** Null until it is there. */
  value: T | null
  problem: string | null
  reload: () => void
  set: (value: T) => void
}

/**
 * Something of the server's, loaded when the part of the page comes up, and again and again where `everyMs` says so.
 * `load` must stay the same function.
 */
export function useLoaded<T>(load: () => Promise<T>, everyMs?: number): Loaded<T> {
  const [value, set] = useState<T | null>(null)
  const [problem, setProblem] = useState<string | null>(null)

  const begin = useCallback(() => {
    let current = true
    load()
      .then((found) => {
        if (!current) return
        set(found)
        setProblem(null)
      })
      .catch((cause: unknown) => current && setProblem(failureFromException(cause).message))
    return () => {
      current = false
    }
  }, [load])

  useEffect(begin, [begin])
  const reload = useCallback(() => void begin(), [begin])
  useEffect(() => {
    if (everyMs === undefined) return
    const timer = window.setInterval(reload, everyMs)
    return () => window.clearInterval(timer)
  }, [reload, everyMs])
  return { value, problem, reload, set }
}
