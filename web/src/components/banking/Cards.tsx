import { useRef, useState } from 'react'
import { freezeCard, listCards, readOperation, unfreezeCard } from '../../api/banking'
import { ApiFailure } from '../../api/failure'
import type { Card, Operation } from '../../api/types'
import { useLoaded } from '../../lib/useLoaded'
import { useSubmit } from '../../lib/useSubmit'
import { AccountSection } from '../identity/AccountSection'
import { Loading } from './Loading'
import { OperationCard } from './OperationCard'
import { cardStatus } from './words'

/** The caller's cards, to freeze one and to make it good again. */
export function Cards() {
  const { value: cards, problem: missing, reload, set } = useLoaded(listCards)
  const [done, setDone] = useState('')
  const [waiting, setWaiting] = useState<Operation | null>(null)
  const heading = useRef<HTMLHeadingElement>(null)
  const { busy, problem, submit } = useSubmit({})

  const change = (card: Card) =>
    submit(async () => {
      setDone('')
      setWaiting(null)
      const changed = await (card.status === 'frozen' ? unfreezeCard(card.id) : freezeCard(card.id)).catch(proposed)
      if ('summary' in changed) return setWaiting(changed)
      set(cards?.map((one) => (one.id === changed.id ? changed : one)) ?? [])
      const now = changed.status === 'frozen' ? 'is frozen: nothing can be paid with it' : 'can be used again'
      setDone(`${changed.name} ending ${changed.number_last4} ${now}.`)
    })

  return (
    <AccountSection title="Cards" headingRef={heading} done={done} problem={problem}>
      <Loading what="your cards" coming={cards === null} problem={missing} onRetry={reload} />
      {cards?.length === 0 && <p>You have no cards.</p>}
      {cards !== null && cards.length > 0 && (
        <ul className="account-list" aria-label="Your cards">
          {cards.map((card) => (
            <CardItem key={card.id} card={card} busy={busy} onChange={() => void change(card)} />
          ))}
        </ul>
      )}
      {waiting !== null && <OperationCard key={waiting.id} pending={waiting} onDone={reload} />}
    </AccountSection>
  )
}

/** The operation that waits for a second factor in place of the change. Throws every other failure. */
async function proposed(cause: unknown): Promise<Operation> {
  if (cause instanceof ApiFailure && cause.operationId !== null) return readOperation(cause.operationId)
  throw cause
}

function CardItem({ card, busy, onChange }: { card: Card; busy: boolean; onChange: () => void }) {
  const { name, number_last4, status, expires_on } = card
  const action = status === 'frozen' ? 'Unfreeze' : 'Freeze'
  return (
    <li className="account-item">
      <span className="account-item-text">
        <span className="account-item-name">
          {name}
          <span className="account-item-mark">{cardStatus(card)}</span>
        </span>
        <span className="account-item-dates">
          Ending {number_last4}, good until {expires_on.slice(5, 7)}/{expires_on.slice(0, 4)}
        </span>
      </span>
      {(status === 'active' || status === 'frozen') && (
        <button
          type="button"
          className="button button-quiet"
          aria-disabled={busy}
          aria-label={`${action} ${name} ending ${number_last4}`}
          onClick={onChange}
        >
          {action}
        </button>
      )}
    </li>
  )
}
