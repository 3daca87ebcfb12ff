import type { ReactNode } from 'react'
import { signInProviders } from '../../identity/providers'
import { bankSession, type SessionView, type WhyAgain } from '../../identity/session'
import { writeReturnPage } from '../../lib/storage'
import type { Page } from '../../lib/usePage'
import { ProofForm } from './ProofForm'
import { SignInForm } from './SignInForm'
import { SignUpForm } from './SignUpForm'
import { Title } from './Title'

const AGAIN: Record<WhyAgain, string> = {
  ended: 'Your sign-in has ended. What you typed is kept here until you are back.',
  asked: 'To be sure that it is you. Afterwards you are back where you were.',
  enrolled: 'Your second factor is set up. Sign in with it now, and the conversation opens.',
}

interface SignInPageProps {
  session: SessionView
  page: Page
  go: (page: Page) => void
}

export function SignInPage({ session, page, go }: SignInPageProps) {
  const { standing, step, notice } = session
  const back = standing.name === 'demo' && (
    <button
      type="button"
      className="button button-quiet"
      onClick={() => {
        bankSession.dismissNotice()
        go('conversation')
      }}
    >
      Back to the demo
    </button>
  )

  if (step !== null) {
    const restart = () => bankSession.abandonStep()
    return (
      <SignInCard key="step" title="One more step" focused={false}>
        <p>Your account is protected by a second factor.</p>
        <ProofForm
          challenge={step.challenge}
          action="Sign in"
          onProof={(proof) => bankSession.answer(proof)}
          onRestart={restart}
        />
        <p className="card-foot">
          <button type="button" className="link-button" onClick={restart}>
            Use another account
          </button>
        </p>
      </SignInCard>
    )
  }
  if (standing.name === 'expired') {
    const { user, why } = standing
    return (
      <SignInCard key="again" title="Sign in again">
        <p>{AGAIN[why]}</p>
        <SignInForm knownName={user.email ?? user.customer_number ?? ''} />
        <Providers onLeave={() => writeReturnPage(page === 'account' ? page : null)} />
        <p className="card-foot">
          Not {user.display_name}?{' '}
          <button type="button" className="link-button" onClick={() => void bankSession.signOut()}>
            Forget this sign-in
          </button>
        </p>
      </SignInCard>
    )
  }
  if (page === 'sign-up') {
    return (
      <SignInCard key="sign-up" title="Open an account">
        <SignUpForm />
        <p className="card-foot">
          You have an account? <a href="#sign-in">Sign in</a>
        </p>
        {back}
      </SignInCard>
    )
  }
  return (
    <SignInCard key="sign-in" title="Sign in">
      {notice !== null && (
        <p className="card-notice" role="status">
          {notice}
        </p>
      )}
      <SignInForm knownName="" />
      <Providers />
      <p className="card-foot">
        New here? <a href="#sign-up">Open an account</a>
      </p>
      {back}
    </SignInCard>
  )
}

interface SignInCardProps {
  title: string
  focused?: boolean
  children: ReactNode
}

function SignInCard({ title, focused = true, children }: SignInCardProps) {
  return (
    <main className="page">
      <div className="card">
        <Title focused={focused}>{title}</Title>
        {children}
      </div>
    </main>
  )
}

function Providers({ onLeave }: { onLeave?: () => void }) {
  const providers = signInProviders()
  if (providers.length === 0) return null
  return (
    <ul className="providers" aria-label="Other ways to sign in">
      {providers.map(({ title, href }) => (
        <li key={href}>
          <a className="button button-secondary button-wide" href={href} onClick={onLeave}>
            Sign in with {title}
          </a>
        </li>
      ))}
    </ul>
  )
}
