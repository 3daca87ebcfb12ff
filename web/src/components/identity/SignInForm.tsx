import { type FormEvent, useEffect, useRef, useState } from 'react'
import type { SignInName } from '../../api/identity'
import { bankSession } from '../../identity/session'
import { useSubmit } from '../../lib/useSubmit'
import { Field } from './Field'
import { FormProblem } from './FormProblem'
import { SubmitButton } from './SubmitButton'

const LABELS = { email: 'The e-mail', customer_number: 'The customer number', password: 'The password' }

export function SignInForm({ knownName }: { knownName: string }) {
  const [name, setName] = useState(knownName)
  const [password, setPassword] = useState('')
  const { busy, problem, formRef, submit, refuse } = useSubmit(LABELS)
  const passwordField = useRef<HTMLDivElement>(null)
  const { fields } = problem

  useEffect(() => {
    if (problem.message !== null) passwordField.current?.querySelector('input')?.focus()
  }, [problem])

  const onSubmit = async (event: FormEvent) => {
    event.preventDefault()
    const missing: Record<string, string> = {}
    if (name.trim() === '') missing.email = 'Enter your e-mail or customer number.'
    if (password === '') missing.password = 'Enter your password.'
    if (Object.keys(missing).length > 0) return refuse(missing)
    if (!(await submit(() => bankSession.signIn(signInName(name), password)))) setPassword('')
  }

  return (
    <form className="form" ref={formRef} onSubmit={onSubmit} noValidate>
      <FormProblem message={problem.message} />
      <Field
        label="E-mail or customer number"
        name="username"
        autoComplete="username"
        value={name}
        problem={fields.email ?? fields.customer_number}
        onChange={(event) => setName(event.target.value)}
      />
      <div ref={passwordField}>
        <Field
          label="Password"
          type="password"
          name="password"
          autoComplete="current-password"
          value={password}
          problem={fields.password}
          onChange={(event) => setPassword(event.target.value)}
        />
      </div>
      <SubmitButton busy={busy} wide>
        Sign in
      </SubmitButton>
    </form>
  )
}

function signInName(text: string): SignInName {
  const name = text.trim()
  return name.includes('@') ? { email: name } : { customer_number: name }
}
