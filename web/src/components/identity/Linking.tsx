import { useRef } from 'react'
import { beginLink } from '../../api/client'
import { signInProviders } from '../../identity/providers'
import { leaveFor } from '../../lib/leave'
import { useSubmit } from '../../lib/useSubmit'
import { AccountSection } from './AccountSection'

/** Lets an account with a provider sign in here. Nothing where the server has no providers. */
export function Linking() {
  const heading = useRef<HTMLHeadingElement>(null)
  const { busy, problem, submit } = useSubmit({})
  const providers = signInProviders()
  if (providers.length === 0) return null

  const link = (provider: string) => submit(async () => leaveFor(await beginLink(provider)))

  return (
    <AccountSection title="Sign-in with another account" headingRef={heading} done="" problem={problem}>
      <p>An account of yours elsewhere can sign you in here once it is linked.</p>
      <div className="form-actions">
        {providers.map(({ name, title }) => (
          <button
            key={name}
            type="button"
            className="button button-secondary"
            aria-disabled={busy}
            onClick={() => void link(name)}
          >
            Link {title}
          </button>
        ))}
      </div>
    </AccountSection>
  )
}
