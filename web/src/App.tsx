import { useEffect, useState } from 'react'
import { DemoBank } from './components/DemoBank'
import { Header } from './components/Header'
import { SetUpPage } from './components/identity/SetUpPage'
import { SignInPage } from './components/identity/SignInPage'
import { Starting } from './components/identity/Starting'
import { SignedInBank } from './components/SignedInBank'
import { StaffDesk } from './components/StaffDesk'
import { Draft } from './conversation/draft'
import type { SessionView } from './identity/session'
import { useSession } from './identity/useSession'
import { type Page, usePage } from './lib/usePage'

export function App() {
  const session = useSession()
  const [page, go, detail] = usePage()
  const [draft] = useState(() => new Draft())
  const { standing } = session

  useEffect(() => {
    if (standing.name === 'signed-in' || standing.name === 'expired') draft.keepFor(standing.user.id)
    else draft.keepFor(null)
  }, [draft, standing])

  useEffect(() => {
    if (standing.name === 'signed-in' && (page === 'sign-in' || page === 'sign-up')) go('conversation')
    if (standing.name === 'demo' && page === 'account') go('conversation')
  }, [standing, page, go])

  if (standing.name === 'signed-in') {
    const { user } = standing
    if (user.second_factor_required) {
      return (
        <div className="app">
          <Header />
          <SetUpPage />
        </div>
      )
    }
    if (user.permissions.includes('agent:handle')) return <StaffDesk key={user.id} user={user} page={page} go={go} />
    return (
      <SignedInBank
        key={user.id}
        user={user}
        linked={session.linked}
        draft={draft}
        page={page}
        detail={detail}
        go={go}
      />
    )
  }
  if (standing.name === 'demo' && !wantsSignIn(session, page)) {
    return <DemoBank customers={standing.customers} draft={draft} />
  }
  return (
    <div className="app">
      <Header />
      {standing.name === 'starting' ? (
        <Starting unreachable={standing.unreachable} notice={session.notice} />
      ) : (
        <SignInPage session={session} page={page} go={go} />
      )}
    </div>
  )
}

function wantsSignIn({ step, notice }: SessionView, page: Page): boolean {
  return step !== null || notice !== null || page === 'sign-in' || page === 'sign-up'
}
