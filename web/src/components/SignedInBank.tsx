import { useEffect, useRef } from 'react'
import type { User } from '../api/types'
import type { Draft } from '../conversation/draft'
import { bankSession } from '../identity/session'
import type { Page } from '../lib/usePage'
import { Bank } from './Bank'
import { PersonIcon } from './Icons'
import { AccountPage } from './identity/AccountPage'
import { LinkedNotice } from './identity/LinkedNotice'

interface SignedInBankProps {
  user: User
  /** The provider whose account has just been linked. */
  linked: string | null
  draft: Draft
  page: Page
  go: (page: Page) => void
}

export function SignedInBank({ user, linked, draft, page, go }: SignedInBankProps) {
  const link = useRef<HTMLAnchorElement>(null)
  const before = useRef(page)

  useEffect(() => {
    if (before.current === 'account' && page !== 'account') link.current?.focus()
    before.current = page
  }, [page])

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
      account={
        <a
          ref={link}
          className="account-link"
          href="#account"
          data-testid="account-link"
          aria-label={`Your account, ${user.display_name}`}
          aria-current={page === 'account' ? 'page' : undefined}
        >
          <PersonIcon />
          <span className="account-link-name">{user.display_name}</span>
        </a>
      }
      notice={<LinkedNotice provider={linked} onClose={closeNotice} />}
      cover={page === 'account' ? <AccountPage user={user} onClose={() => go('conversation')} /> : null}
    />
  )
}
