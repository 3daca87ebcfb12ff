import { readFactors } from '../../api/client'
import type { Factors } from '../../api/types'
import { bankSession } from '../../identity/session'
import { useLoaded } from '../../lib/useLoaded'
import { SecondFactors } from './SecondFactors'
import { Title } from './Title'

/** For a session that may only set a second factor up. What it was opened without, the next sign-in must be with. */
export function SetUpPage() {
  const view = useLoaded(readFactors)

  const onChanged = (changed: Factors) => {
    view.set(changed)
    if (isSetUp(changed)) void bankSession.signInAgain('enrolled')
  }

  return (
    <main className="page" data-testid="set-up-page">
      <div className="account">
        <div className="account-head">
          <Title>Set up a second factor</Title>
          <button
            type="button"
            className="button button-quiet"
            data-testid="sign-out"
            onClick={() => void bankSession.signOut()}
          >
            Sign out
          </button>
        </div>
        <p>
          The bank protects accounts like yours by a second factor, and you signed in without one. Set up an
          authenticator app or a passkey, then sign in again with it. Until then the conversation is closed.
        </p>
        {view.value !== null && isSetUp(view.value) ? (
          <section className="account-section">
            <p>A second factor is set up. Sign in again with it.</p>
            <div className="form-actions">
              <button
                type="button"
                className="button button-primary"
                onClick={() => void bankSession.signInAgain('enrolled')}
              >
                Sign in again
              </button>
            </div>
          </section>
        ) : (
          <SecondFactors view={view} onChanged={onChanged} />
        )}
      </div>
    </main>
  )
}

function isSetUp({ totp, passkeys }: Factors): boolean {
  return totp || passkeys.length > 0
}
