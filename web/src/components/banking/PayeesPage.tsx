import { useRef, useState } from 'react'
import { listPayees, removePayee } from '../../api/banking'
import type { Payee } from '../../api/types'
import { useLoaded } from '../../lib/useLoaded'
import { useSubmit } from '../../lib/useSubmit'
import { AccountSection } from '../identity/AccountSection'
import { CancelButton } from '../identity/CancelButton'
import { BankPage } from './BankPage'
import { Loading } from './Loading'
import { NewPayee } from './NewPayee'

/** Whom the caller pays. */
export function PayeesPage() {
  const { value: payees, problem: missing, reload, set } = useLoaded(listPayees)
  const [removing, setRemoving] = useState<string | null>(null)
  const [adding, setAdding] = useState(false)
  const [done, setDone] = useState('')
  const heading = useRef<HTMLHeadingElement>(null)
  const { busy, problem, submit } = useSubmit({})

  /** What was pressed goes away, so the focus goes to the heading. */
  const finish = (words: string) => {
    setAdding(false)
    setRemoving(null)
    setDone(words)
    heading.current?.focus()
  }

  const remove = (payee: Payee) =>
    submit(async () => {
      setDone('')
      await removePayee(payee.id)
      set(payees?.filter(({ id }) => id !== payee.id) ?? [])
      finish(`${payee.name} is removed. What was paid stays on record.`)
    })

  const added = (payee: Payee) => {
    set([...(payees ?? []), payee].sort((one, other) => one.name.localeCompare(other.name)))
    finish(`${payee.name} is added. For a day less can be sent, and the first payment asks for your second factor.`)
  }

  return (
    <BankPage title="Payees">
      <AccountSection title="Whom you pay" headingRef={heading} done={done} problem={problem}>
        <Loading what="your payees" coming={payees === null} problem={missing} onRetry={reload} />
        {payees?.length === 0 && <p>You have no payees yet.</p>}
        {payees !== null && payees.length > 0 && (
          <ul className="account-list" aria-label="Your payees">
            {payees.map((payee) => (
              <li key={payee.id} className="account-item" data-testid="payee">
                <span className="account-item-text">
                  <span className="account-item-name">{payee.name}</span>
                  <span className="account-item-dates">{described(payee)}</span>
                </span>
                {removing === payee.id ? (
                  <span className="form-actions">
                    <button
                      type="button"
                      className="button button-danger"
                      aria-disabled={busy}
                      autoFocus
                      onClick={() => void remove(payee)}
                    >
                      Remove
                    </button>
                    <button type="button" className="button button-quiet" onClick={() => finish('')}>
                      Keep
                    </button>
                  </span>
                ) : (
                  <button
                    type="button"
                    className="button button-quiet"
                    aria-label={`Remove ${payee.name}`}
                    onClick={() => setRemoving(payee.id)}
                  >
                    Remove
                  </button>
                )}
              </li>
            ))}
          </ul>
        )}
        {adding ? (
          <NewPayee onAdded={added}>
            <CancelButton onClick={() => finish('')} />
          </NewPayee>
        ) : (
          <div className="form-actions">
            <button type="button" className="button button-secondary" onClick={() => setAdding(true)}>
              Add a payee
            </button>
          </div>
        )}
      </AccountSection>
    </BankPage>
  )
}

function described({ kind, at_this_bank, account_last4, first_paid_at }: Payee): string {
  const what = kind === 'biller' ? 'Biller' : at_this_bank ? 'Person at this bank' : 'Person'
  return `${what}, ending ${account_last4}${first_paid_at === null ? ', not yet paid' : ''}`
}
