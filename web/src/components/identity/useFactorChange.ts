import { type RefObject, useRef, useState } from 'react'
import type { Factors } from '../../api/types'
import { type Problem, useSubmit } from '../../lib/useSubmit'

export interface FactorChange<Step> {
  /** Where the change stands; null while the factor is only shown. */
  step: Step | null
  /** What was done last, read out when it changes. */
  done: string
  heading: RefObject<HTMLHeadingElement | null>
  busy: boolean
  problem: Problem
  /** Work that leads to the first step. */
  begin: (work: () => Promise<Step>) => Promise<boolean>
  go: (step: Step) => void
  /** Give the change up. */
  leave: () => void
  finish: (factors: Factors, words: string) => void
}

/** A change of one kind of second factor: begun, taken step by step, then finished or left. */
export function useFactorChange<Step>(onChanged: (factors: Factors) => void): FactorChange<Step> {
  const [step, setStep] = useState<Step | null>(null)
  const [done, setDone] = useState('')
  const heading = useRef<HTMLHeadingElement>(null)
  const { busy, problem, submit } = useSubmit({})

  const begin = (work: () => Promise<Step>) =>
    submit(async () => {
      setDone('')
      setStep(await work())
    })

  /** What was pressed goes away, so the focus goes to the heading. */
  const leave = () => {
    setStep(null)
    heading.current?.focus()
  }

  const finish = (factors: Factors, words: string) => {
    onChanged(factors)
    setDone(words)
    leave()
  }

  return { step, done, heading, busy, problem, begin, go: setStep, leave, finish }
}
