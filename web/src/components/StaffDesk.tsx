import type { User } from '../api/types'
import type { Page } from '../lib/usePage'
import { AccountLink } from './AccountLink'
import { AgentDesk } from './agent/AgentDesk'
import { Header } from './Header'
import { AccountPage } from './identity/AccountPage'

interface StaffDeskProps {
  user: User
  page: Page
  go: (page: Page) => void
}

/** The page of who answers customers in place of the assistant. */
export function StaffDesk({ user, page, go }: StaffDeskProps) {
  return (
    <div className="app">
      <Header account={<AccountLink user={user} current={page === 'account'} />} />
      {page === 'account' ? (
        <AccountPage user={user} backTo="the desk" onClose={() => go('conversation')} />
      ) : (
        <AgentDesk />
      )}
    </div>
  )
}
