import { useEffect, useRef } from 'react'
import type { User } from '../api/types'
import type { Draft } from '../conversation/draft'
import { bankSession } from '../identity/session'
import type { Page } from '../lib/usePage'
import { AccountLink } from './AccountLink'
import { Bank } from './Bank'
import { AccountsPage } from './banking/AccountsPage'
import { ActivityPage } from './banking/ActivityPage'
import { PayeesPage } from './banking/PayeesPage'
import { AccountPage } from './identity/AccountPage'
import { LinkedNotice } from './identity/LinkedNotice'
import { Places } from './Places'

interface SignedInBankProps {
  user: User
  /** The provider whose account has just been linked. */
  linked: string | null
  draft: Draft
  page: Page
  /** What on the page the address names. */
  detail: string | null
  go: (page: Page) => void
}

export function SignedInBank({ user, linked, draft, page, detail, go }: SignedInBankProps) {
  const banks = user.permissions.includes('banking:read')
  const link = useRef<HTMLAnchorElement>(null)
  const before = useRef(page)

  useEffect(() => {
    if (before.current === 'account' && page === 'conversation' && focusIsLost()) link.current?.focus()
    before.current = page
  }, [page])

  const coverOf = () => {
    if (page === 'account') return <AccountPage user={user} onClose={() => go('conversation')} />
    if (!banks) return null
    if (page === 'accounts') return <AccountsPage accountId={detail} />
    if (page === 'payees') return <PayeesPage />
    return page === 'activity' ? <ActivityPage /> : null
  }

  const closeNotice = () => {
    bankSession.dismissNotice()
    link.current?.focus()
  }

  return (
    <Bank
      owner={user.id}
      customerId={null}
      listOwner={null}
      customerName={user.display_name}
      draft={draft}
      banks={banks}
      places={banks && <Places page={page} />}
      account={<AccountLink user={user} current={page === 'account'} linkRef={link} />}
      notice={<LinkedNotice provider={linked} onClose={closeNotice} />}
      cover={coverOf()}
    />
  )
}

function focusIsLost(): boolean {
  return document.activeElement === null || document.activeElement === document.body
}
