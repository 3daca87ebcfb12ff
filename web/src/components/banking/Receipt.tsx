import { useCallback } from 'react'
import { readAccount } from '../../api/banking'
import type { Operation } from '../../api/types'
import { dateAndTime, money } from '../../lib/format'
import { useLoaded } from '../../lib/useLoaded'

/** What proves an executed operation, and what is now on the account that paid. */
export function Receipt({ operation }: { operation: Operation }) {
  const { from_account, confirmation_code, executed_at } = operation
  return (
    <dl className="receipt" data-testid="receipt">
      <div>
        <dt>Confirmation code</dt>
        <dd>
          <code>{confirmation_code}</code>
        </dd>
      </div>
      {executed_at !== null && (
        <div>
          <dt>When</dt>
          <dd>
            <time dateTime={executed_at}>{dateAndTime(executed_at)}</time>
          </dd>
        </div>
      )}
      {from_account !== null && <NewBalance accountId={from_account} />}
    </dl>
  )
}

function NewBalance({ accountId }: { accountId: string }) {
  const load = useCallback(() => readAccount(accountId), [accountId])
  const { value: account, problem, reload } = useLoaded(load)
  return (
    <div>
      <dt>{account === null ? 'Balance' : `Balance of ${account.name}`}</dt>
      <dd data-testid="new-balance">
        {account !== null && money(account.balance)}
        {problem !== null && (
          <>
            Could not be loaded.{' '}
            <button type="button" className="link-button" onClick={reload}>
              Try again
            </button>
          </>
        )}
      </dd>
    </div>
  )
}
