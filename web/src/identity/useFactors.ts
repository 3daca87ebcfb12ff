import { useCallback, useEffect, useState } from 'react'
import { readFactors } from '../api/client'
import { failureFromException } from '../api/failure'
import type { Factors } from '../api/types'

export interface FactorsView {
  /** Null until they are there. */
  factors: Factors | null
  problem: string | null
  load: () => void
  setFactors: (factors: Factors) => void
}

/** The second factors of whoever is signed in. */
export function useFactors(): FactorsView {
  const [factors, setFactors] = useState<Factors | null>(null)
  const [problem, setProblem] = useState<string | null>(null)

  const load = useCallback(() => {
    let current = true
    setProblem(null)
    readFactors()
      .then((found) => current && setFactors(found))
      .catch((cause: unknown) => current && setProblem(failureFromException(cause).message))
    return () => {
      current = false
    }
  }, [])

  useEffect(load, [load])
  return { factors, problem, load: () => void load(), setFactors }
}
