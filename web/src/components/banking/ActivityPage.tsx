import { listOperations } from '../../api/banking'
import type { Operation } from '../../api/types'
import { dateAndTime } from '../../lib/format'
import { usePaged } from '../../lib/usePaged'
import { BankPage } from './BankPage'
import { More } from './More'
import { OperationCard } from './OperationCard'
import { OPERATION_STATUS } from './words'

/** What the caller ordered here or in the conversation, what became of it, and what still waits. */
export function ActivityPage() {
  const list = usePaged(listOperations)
  const { items } = list
  const waiting = items?.filter(({ status }) => status === 'pending') ?? []
  const decided = items?.filter(({ status }) => status !== 'pending') ?? []
  return (
    <BankPage title="Activity">
      {waiting.map((operation) => (
        <OperationCard key={operation.id} pending={operation} />
      ))}
      <section className="account-section" aria-labelledby="operations">
        <h2 id="operations">What you ordered</h2>
        {items !== null && decided.length === 0 && <p>Nothing yet.</p>}
        {decided.length > 0 && (
          <ul className="account-list" aria-labelledby="operations">
            {decided.map((operation) => (
              <OperationItem key={operation.id} operation={operation} />
            ))}
          </ul>
        )}
        <More what="your operations" list={list} />
      </section>
    </BankPage>
  )
}

function OperationItem({ operation }: { operation: Operation }) {
  const { summary, status, created_at, executed_at, confirmation_code } = operation
  const at = executed_at ?? created_at
  return (
    <li className="account-item" data-testid="operation-item">
      <span className="account-item-text">
        <span className="operation-text">{summary}</span>
        <span className="account-item-dates">
          <span className={`operation-status ${status}`}>{OPERATION_STATUS[status]}</span>
          <time dateTime={at}>{dateAndTime(at)}</time>
          {confirmation_code !== null && (
            <>
              {', confirmation code '}
              <code>{confirmation_code}</code>
            </>
          )}
        </span>
      </span>
    </li>
  )
}
