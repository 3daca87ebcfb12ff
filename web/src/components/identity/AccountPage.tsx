import { useCallback, useEffect, useState } from 'react'
import { readFactors } from '../../api/client'
import { failureFromException } from '../../api/failure'
import type { Factors, User } from '../../api/types'
import { bankSession } from '../../identity/session'
import { AuthenticatorApp } from './AuthenticatorApp'
import { FormProblem } from './FormProblem'
import { Passkeys } from './Passkeys'
import { Title } from './Title'

interface AccountPageProps {
  user: User
  onClose: () => void
}

export function AccountPage({ user, onClose }: AccountPageProps) {
  const { factors, problem, load, setFactors } = useFactors()
  return (
    <main className="page">
      <div className="account">
        <div className="account-head">
          <Title>Your account</Title>
          <button type="button" className="button button-quiet" onClick={onClose}>
            Back to the conversation
          </button>
        </div>
        <section className="account-section" aria-labelledby="account-you">
          <h2 id="account-you">You</h2>
          <dl className="account-facts">
            <div>
              <dt>Name</dt>
              <dd>{user.display_name}</dd>
            </div>
            {user.email !== null && (
              <div>
                <dt>E-mail</dt>
                <dd>{user.email}</dd>
              </div>
            )}
            {user.customer_number !== null && (
              <div>
                <dt>Customer number</dt>
                <dd>{user.customer_number}</dd>
              </div>
            )}
          </dl>
        </section>
        <FormProblem message={problem}>
          <button type="button" className="link-button" onClick={load}>
            Try again
          </button>
        </FormProblem>
        <div className="account-factors" aria-busy={factors === null && problem === null}>
          {factors === null && problem === null && <p className="loading">Loading your second factors…</p>}
          {factors !== null && (
            <>
              <AuthenticatorApp factors={factors} onChanged={setFactors} />
              <Passkeys factors={factors} onChanged={setFactors} />
            </>
          )}
        </div>
        <section className="account-section" aria-labelledby="account-session">
          <h2 id="account-session">This sign-in</h2>
          <p>Signing out ends the session on this device and removes what this page holds of you.</p>
          <div className="form-actions">
            <button
              type="button"
              className="button button-secondary"
              data-testid="sign-out"
              onClick={() => void bankSession.signOut()}
            >
              Sign out
            </button>
          </div>
        </section>
      </div>
    </main>
  )
}

function useFactors() {
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
