import type { RefObject } from 'react'
import type { User } from '../api/types'
import { PersonIcon } from './Icons'

interface AccountLinkProps {
  user: User
  /** Whether the page of the account is the one shown. */
  current: boolean
  linkRef?: RefObject<HTMLAnchorElement | null>
}

export function AccountLink({ user, current, linkRef }: AccountLinkProps) {
  return (
    <a
      ref={linkRef}
      className="account-link"
      href="#account"
      data-testid="account-link"
      aria-label={`Your account, ${user.display_name}`}
      aria-current={current ? 'page' : undefined}
    >
      <PersonIcon />
      <span className="account-link-name">{user.display_name}</span>
    </a>
  )
}
