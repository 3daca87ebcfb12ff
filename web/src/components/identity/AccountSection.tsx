import { type ReactNode, type RefObject, useId } from 'react'
import type { Problem } from '../../lib/useSubmit'
import { FormProblem } from './FormProblem'

interface AccountSectionProps {
  title: string
  headingRef: RefObject<HTMLHeadingElement | null>
  /** What was done last, read out when it changes. */
  done: string
  problem: Problem
  /** What may help against the problem. */
  remedy?: ReactNode
  children: ReactNode
}

/** A part of the account page that changes something. */
export function AccountSection({ title, headingRef, done, problem, remedy, children }: AccountSectionProps) {
  const id = useId()
  return (
    <section className="account-section" aria-labelledby={id}>
      <h2 id={id} tabIndex={-1} ref={headingRef}>
        {title}
      </h2>
      <p role="status" className={done === '' ? 'visually-hidden' : 'account-done'}>
        {done}
      </p>
      <FormProblem message={problem.message} failure={problem.failure}>
        {remedy}
      </FormProblem>
      {children}
    </section>
  )
}
