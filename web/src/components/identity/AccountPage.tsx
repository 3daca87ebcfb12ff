import { readFactors } from '../../api/client'
import type { User } from '../../api/types'
import { bankSession } from '../../identity/session'
import { useLoaded } from '../../lib/useLoaded'
import { Linking } from './Linking'
import { SecondFactors } from './SecondFactors'
import { SignedInPlaces } from './SignedInPlaces'
import { Title } from './Title'

interface AccountPageProps {
  user: User
  backTo?: string
  onClose: () => void
}

export function AccountPage({ user, backTo = 'the conversation', onClose }: AccountPageProps) {
  const view = useLoaded(readFactors)
  return (
    <main className="page">
      <div className="account">
        <div className="account-head">
          <Title>Your account</Title>
          <button type="button" className="button button-quiet" onClick={onClose}>
            Back to {backTo}
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
        <SecondFactors view={view} onChanged={view.set} />
        <Linking />
        <SignedInPlaces />
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
