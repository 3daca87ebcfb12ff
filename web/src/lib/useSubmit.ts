import { type RefObject, useEffect, useRef, useState } from 'react'
import { type ApiFailure, failureFromException } from '../api/failure'
import { PasskeyFailure } from '../identity/passkeys'

export interface Problem {
  /** For the form as a whole. */
  message: string | null
  /** By field. */
  fields: Record<string, string>
  failure: ApiFailure | null
}

export interface Submission {
  busy: boolean
  problem: Problem
  formRef: RefObject<HTMLFormElement | null>
  /** Do the work of the form; what goes wrong is in `problem` then. True if nothing did. */
  submit: (work: () => Promise<void>) => Promise<boolean>
  refuse: (fields: Record<string, string>) => void
}

const NONE: Problem = { message: null, fields: {}, failure: null }

/**
 * The one way in which forms are sent. `labels` name the fields of the server's request as the page does; `otherwise`
 * is the field that a refusal without a field belongs to.
 */
export function useSubmit(labels: Record<string, string>, otherwise?: string): Submission {
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState(NONE)
  const formRef = useRef<HTMLFormElement>(null)
  const running = useRef(false)

  useEffect(() => {
    if (problem !== NONE) formRef.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus()
  }, [problem])

  const submit = async (work: () => Promise<void>) => {
    if (running.current) return false
    running.current = true
    setBusy(true)
    setProblem(NONE)
    try {
      await work()
      return true
    } catch (cause) {
      setProblem(problemOf(cause, labels, otherwise))
      return false
    } finally {
      running.current = false
      setBusy(false)
    }
  }

  return { busy, problem, formRef, submit, refuse: (fields) => setProblem({ ...NONE, fields }) }
}

function problemOf(cause: unknown, labels: Record<string, string>, otherwise: string | undefined): Problem {
  if (cause instanceof PasskeyFailure) return { ...NONE, message: cause.message }
  const failure = failureFromException(cause)
  const fields: Record<string, string> = {}
  for (const { field, problem } of failure.fields) {
    const label = labels[field]
    if (label !== undefined) fields[field] = `${label} ${problem}.`
  }
  if (Object.keys(fields).length > 0) return { message: null, fields, failure }
  if (otherwise !== undefined && failure.code === 'INVALID_REQUEST' && failure.fields.length === 0) {
    return { message: null, fields: { [otherwise]: failure.message }, failure }
  }
  return { message: failure.message, fields, failure }
}
