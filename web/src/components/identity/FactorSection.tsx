import { type ReactNode, type RefObject, useId } from 'react'
import { bankSession } from '../../identity/session'
import type { Problem } from '../../lib/useSubmit'
import { FormProblem } from './FormProblem'

interface FactorSectionProps {
  title: string
  headingRef: RefObject<HTMLHeadingElement | null>
  /** What was done last, read out when it changes. */
  done: string
  problem: Problem
  children: ReactNode
}

/** A part of the account page about one kind of second factor. */
export function FactorSection({ title, headingRef, done, problem, children }: FactorSectionProps) {
  const id = useId()
  const signInNeeded = problem.failure?.code === 'STEP_UP_REQUIRED'
  return (
    <section className="account-section" aria-labelledby={id}>
      <h2 id={id} tabIndex={-1} ref={headingRef}>
        {title}
      </h2>
      <p role="status" className={done === '' ? 'visually-hidden' : 'account-done'}>
        {done}
      </p>
      <FormProblem message={problem.message}>
        {signInNeeded && (
          <button type="button" className="link-button" onClick={() => void bankSession.signInAgain()}>
            Sign in again
          </button>
        )}
      </FormProblem>
      {children}
    </section>
  )
}
