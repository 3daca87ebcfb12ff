import { useRef, useState } from 'react'
import { listQueue, takeHandoff } from '../../api/agent'
import type { DeskItem } from '../../api/types'
import { dateAndTime } from '../../lib/format'
import { useLoaded } from '../../lib/useLoaded'
import { useSubmit } from '../../lib/useSubmit'
import { BankPage } from '../banking/BankPage'
import { Loading } from '../banking/Loading'
import { AccountSection } from '../identity/AccountSection'
import { Handling } from './Handling'

const ASK_EVERY_MS = 5000
const REASONS: Record<DeskItem['reason'], string> = {
  request: 'Asked for a person',
  failure: 'Was not understood',
  policy: 'Called by a rule',
}

/** The agents' desk: who waits for a person; one of them at a time is answered. */
export function AgentDesk() {
  const [handling, setHandling] = useState<string | null>(null)
  if (handling !== null) return <Handling handoffId={handling} onLeave={() => setHandling(null)} />
  return <Queue onTaken={setHandling} />
}

function Queue({ onTaken }: { onTaken: (handoffId: string) => void }) {
  const { value: items, problem: missing, reload } = useLoaded(listQueue, ASK_EVERY_MS)
  const heading = useRef<HTMLHeadingElement>(null)
  const { busy, problem, submit } = useSubmit({})

  const take = async (id: string) => {
    if (!(await submit(async () => onTaken((await takeHandoff(id)).id)))) reload()
  }

  return (
    <BankPage title="Agent desk">
      <AccountSection title="Who waits" headingRef={heading} done="" problem={problem}>
        <Loading what="the queue" coming={items === null} problem={missing} onRetry={reload} />
        {items?.length === 0 && <p>Nobody waits.</p>}
        {items !== null && items.length > 0 && (
          <ul className="account-list" aria-label="Conversations for a person">
            {items.map((item) => (
              <li key={item.id} className="account-item" data-testid="desk-item">
                <span className="account-item-text">
                  <span className="account-item-name">
                    {REASONS[item.reason]}
                    {item.status === 'taken' && <span className="account-item-mark">Yours</span>}
                  </span>
                  <span className="desk-summary">{item.summary}</span>
                  <time className="account-item-dates" dateTime={item.created_at}>
                    {dateAndTime(item.created_at)}
                  </time>
                </span>
                <button
                  type="button"
                  className="button button-secondary"
                  aria-disabled={busy}
                  onClick={() => void take(item.id)}
                >
                  {item.status === 'taken' ? 'Go on' : 'Take'}
                </button>
              </li>
            ))}
          </ul>
        )}
      </AccountSection>
    </BankPage>
  )
}
