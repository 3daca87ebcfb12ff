import { type FormEvent, type ReactNode, useState } from 'react'
import { type ApiFailure } from '../../api/failure'
import type { Challenge, Proof } from '../../api/types'
import { provePasskey } from '../../identity/passkeys'
import { useSubmit } from '../../lib/useSubmit'
import { Field } from './Field'
import { FormProblem } from './FormProblem'
import { SubmitButton } from './SubmitButton'

interface ProofFormProps {
  challenge: Challenge
  /** What the proof does, as the button's words. */
  action: string
  onProof: (proof: Proof) => Promise<void>
  /** For a challenge that takes no more answers. */
  onRestart: () => void
  children?: ReactNode
}

/** Asks for a second factor: the app's code, a passkey, or either. */
export function ProofForm({ challenge, action, onProof, onRestart, children }: ProofFormProps) {
  const [code, setCode] = useState('')
  const { busy, problem, formRef, submit, refuse } = useSubmit({ code: 'The code' })
  const { methods, webauthn } = challenge
  const passkey = webauthn !== null && methods.includes('webauthn')
  const over = isOver(problem.failure)

  const sendCode = async (event: FormEvent) => {
    event.preventDefault()
    const digits = code.replace(/\s/g, '')
    if (!/^[0-9]{6}$/.test(digits)) return refuse({ code: 'Enter the six digits that the app shows now.' })
    if (!(await submit(() => onProof({ code: digits })))) setCode('')
  }

  const sendPasskey = () =>
    webauthn !== null && submit(async () => onProof({ credential: await provePasskey(webauthn) }))

  return (
    <form className="form" ref={formRef} onSubmit={sendCode} noValidate>
      <FormProblem message={problem.message} failure={problem.failure}>
        {over && (
          <button type="button" className="link-button" onClick={onRestart}>
            Begin again
          </button>
        )}
      </FormProblem>
      {passkey && (
        <button
          type="button"
          className="button button-primary"
          aria-disabled={busy}
          autoFocus
          onClick={() => void sendPasskey()}
        >
          {busy ? 'One moment…' : `${action} with your passkey`}
        </button>
      )}
      {methods.includes('totp') && (
        <>
          {passkey && <p className="form-or">or</p>}
          <CodeField value={code} problem={problem.fields.code} autoFocus={!passkey} onChange={setCode} />
          <SubmitButton busy={busy} secondary={passkey}>
            {passkey ? `${action} with the code` : action}
          </SubmitButton>
        </>
      )}
      {children}
    </form>
  )
}

interface CodeFieldProps {
  value: string
  problem: string | undefined
  autoFocus?: boolean
  onChange: (value: string) => void
}

export function CodeField({ value, problem, autoFocus = false, onChange }: CodeFieldProps) {
  return (
    <Field
      label="Code from your authenticator app"
      hint="Six digits. Each code works once: if you have just used one, wait for the next."
      className="code-input"
      name="code"
      inputMode="numeric"
      autoComplete="one-time-code"
      maxLength={11}
      autoFocus={autoFocus}
      value={value}
      problem={problem}
      onChange={(event) => onChange(event.target.value)}
    />
  )
}

/** Whether no other answer to the same challenge can help. */
function isOver(failure: ApiFailure | null): boolean {
  if (failure === null || failure.wantsSignIn) return false
  return failure.kind === 'signed-out' || (failure.code === 'STEP_UP_REQUIRED' && failure.reason !== 'wrong')
}
