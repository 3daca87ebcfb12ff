import { type FormEvent, useState } from 'react'
import { register } from '../../api/identity'
import { ApiFailure } from '../../api/failure'
import { bankSession } from '../../identity/session'
import { useSubmit } from '../../lib/useSubmit'
import { Field } from './Field'
import { FormProblem } from './FormProblem'
import { SubmitButton } from './SubmitButton'

const LABELS = { email: 'The e-mail', display_name: 'The name', password: 'The password' }
const PASSWORD_RULES =
  '15 to 128 characters of any kind; spaces count. A phrase of several words of your own is good. ' +
  'Not what is tried first: common words, your name or e-mail, dates, neighbouring keys.'
const TAKEN =
  'No account was opened with this e-mail and password. If you have one already, sign in with its own password.'

export function SignUpForm() {
  const [name, setName] = useState('')
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const { busy, problem, formRef, submit, refuse } = useSubmit(LABELS, 'password')
  const { fields } = problem

  const onSubmit = async (event: FormEvent) => {
    event.preventDefault()
    const missing: Record<string, string> = {}
    if (name.trim() === '') missing.display_name = 'Enter your name.'
    if (email.trim() === '') missing.email = 'Enter your e-mail.'
    if (password === '') missing.password = 'Choose a password.'
    if (Object.keys(missing).length > 0) return refuse(missing)
    await submit(async () => {
      await register(name.trim(), email.trim(), password)
      await firstSignIn(email.trim(), password)
    })
  }

  return (
    <form className="form" ref={formRef} onSubmit={onSubmit} noValidate>
      <FormProblem message={problem.message} />
      <Field
        label="Your name"
        name="name"
        autoComplete="name"
        maxLength={100}
        value={name}
        problem={fields.display_name}
        onChange={(event) => setName(event.target.value)}
      />
      <Field
        label="E-mail"
        type="email"
        name="email"
        autoComplete="username"
        value={email}
        problem={fields.email}
        onChange={(event) => setEmail(event.target.value)}
      />
      <Field
        label="Password"
        type="password"
        name="new-password"
        autoComplete="new-password"
        value={password}
        problem={fields.password}
        hint={PASSWORD_RULES}
        onChange={(event) => setPassword(event.target.value)}
      />
      <SubmitButton busy={busy} wide>
        Open an account
      </SubmitButton>
    </form>
  )
}

/** The registration answers alike for an e-mail that is taken; the sign-in then tells its owner and nobody else. */
async function firstSignIn(email: string, password: string): Promise<void> {
  try {
    await bankSession.signIn({ email }, password)
  } catch (cause) {
    if (cause instanceof ApiFailure && cause.kind === 'signed-out') {
      throw new ApiFailure(cause.kind, TAKEN, cause.requestId)
    }
    throw cause
  }
}
