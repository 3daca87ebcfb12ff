import { useCallback } from 'react'
import { listTransactions } from '../../api/banking'
import type { Account, Transaction } from '../../api/types'
import { dayOf, money } from '../../lib/format'
import { usePaged } from '../../lib/usePaged'
import { BankPage } from './BankPage'
import { More } from './More'
import { Statements } from './Statements'
import { kindOf } from './words'

/** What is on an account, what happened on it, and its statements. */
export function OneAccount({ account }: { account: Account }) {
  const { id, name, number_last4, balance, held, available } = account
  const load = useCallback((cursor: string | null) => listTransactions(id, cursor), [id])
  const list = usePaged(load)
  const { items } = list
  return (
    <BankPage
      title={name}
      back={
        <a className="button button-quiet" href="#accounts">
          All accounts
        </a>
      }
    >
      <section className="account-section" aria-label="Balance">
        <p className="account-item-dates">
          {kindOf(account)}, ending {number_last4}
        </p>
        <p className="balance" data-testid="balance">
          {money(balance)}
        </p>
        <dl className="account-facts">
          {Number(held.amount) !== 0 && (
            <div>
              <dt>Set aside</dt>
              <dd>{money(held)}</dd>
            </div>
          )}
          {available !== null && (
            <div>
              <dt>Available</dt>
              <dd>{money(available)}</dd>
            </div>
          )}
          <div>
            <dt>Reference</dt>
            <dd>
              <code>{id}</code>
            </dd>
          </div>
        </dl>
        <p className="field-hint">Who wants to pay you from this bank needs the reference and your name.</p>
      </section>
      <section className="account-section" aria-labelledby="transactions">
        <h2 id="transactions">Transactions</h2>
        {items?.length === 0 && <p>There are none yet.</p>}
        {items !== null && items.length > 0 && (
          <ul className="account-list" aria-labelledby="transactions">
            {items.map((one) => (
              <TransactionItem key={one.id} transaction={one} />
            ))}
          </ul>
        )}
        <More what="transactions" list={list} />
      </section>
      <Statements accountId={id} last4={number_last4} />
    </BankPage>
  )
}

function TransactionItem({ transaction: { amount, description, booked_at } }: { transaction: Transaction }) {
  return (
    <li className="account-item" data-testid="transaction">
      <span className="account-item-text">
        <span className="transaction-text">{description}</span>
        <time className="account-item-dates" dateTime={booked_at}>
          {dayOf(booked_at)}
        </time>
      </span>
      <span className={amount.amount.startsWith('-') ? 'amount' : 'amount credit'}>{money(amount, true)}</span>
    </li>
  )
}
