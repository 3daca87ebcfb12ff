import { listAccounts } from '../../api/banking'
import type { Account } from '../../api/types'
import { money } from '../../lib/format'
import { useLoaded } from '../../lib/useLoaded'
import { OneAccount } from './OneAccount'
import { BankPage } from './BankPage'
import { Cards } from './Cards'
import { Loading } from './Loading'
import { kindOf } from './words'

/** All accounts of the caller, or the one that the address names. */
export function AccountsPage({ accountId }: { accountId: string | null }) {
  const { value: accounts, problem, reload } = useLoaded(listAccounts)
  const chosen = accounts?.find(({ id }) => id === accountId)

  if (chosen !== undefined) return <OneAccount key={chosen.id} account={chosen} />
  return (
    <BankPage title="Accounts">
      <Loading what="your accounts" coming={accounts === null} problem={problem} onRetry={reload} />
      {accounts?.length === 0 && <p>You have no accounts yet.</p>}
      {accounts !== null && accounts.length > 0 && (
        <ul className="account-cards" aria-label="Your accounts">
          {accounts.map((account) => (
            <li key={account.id}>
              <AccountLink account={account} />
            </li>
          ))}
        </ul>
      )}
      <Cards />
    </BankPage>
  )
}

function AccountLink({ account }: { account: Account }) {
  const { id, name, number_last4, balance } = account
  return (
    <a className="account-card" href={`#accounts/${id}`} data-testid="account-card">
      <span className="account-item-text">
        <span className="account-item-name">{name}</span>
        <span className="account-item-dates">
          {kindOf(account)}, ending {number_last4}
        </span>
      </span>
      <span className="amount" data-testid="balance">
        {money(balance)}
      </span>
    </a>
  )
}
