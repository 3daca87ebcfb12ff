import { type FormEvent, useCallback, useState } from 'react'
import { handBack, readHandoff, replyToCustomer } from '../../api/agent'
import type { StoredMessage } from '../../api/types'
import { timeOfDay } from '../../lib/format'
import { useLoaded } from '../../lib/useLoaded'
import { useSubmit } from '../../lib/useSubmit'
import { BankPage } from '../banking/BankPage'
import { Loading } from '../banking/Loading'
import { FormProblem } from '../identity/FormProblem'
import { SubmitButton } from '../identity/SubmitButton'

const LISTEN_EVERY_MS = 4000
const MAX_CHARS = 4000
const SPEAKERS: Record<StoredMessage['role'], string> = { user: 'Customer', assistant: 'Assistant', agent: 'You' }

interface HandlingProps {
  handoffId: string
  onLeave: () => void
}

/** One conversation in the agent's hands: what was said, an answer, and the way back to the assistant. */
export function Handling({ handoffId, onLeave }: HandlingProps) {
  const load = useCallback(() => readHandoff(handoffId), [handoffId])
  const { value: found, problem: missing, reload } = useLoaded(load, LISTEN_EVERY_MS)
  const [text, setText] = useState('')
  const { busy, problem, submit } = useSubmit({})

  const reply = async (event: FormEvent) => {
    event.preventDefault()
    if (text.trim() === '') return
    await submit(async () => {
      await replyToCustomer(handoffId, text.trim())
      setText('')
      reload()
    })
  }

  const giveBack = () =>
    submit(async () => {
      await handBack(handoffId)
      onLeave()
    })

  return (
    <BankPage
      title="Conversation"
      back={
        <button type="button" className="button button-quiet" onClick={onLeave}>
          Back to the desk
        </button>
      }
    >
      <Loading what="the conversation" coming={found === null} problem={missing} onRetry={reload} />
      {found !== null && (
        <>
          <section className="account-section" aria-labelledby="desk-summary">
            <h2 id="desk-summary">Summary</h2>
            <p className="desk-summary">{found.handoff.summary}</p>
          </section>
          <section className="account-section" aria-labelledby="desk-messages">
            <h2 id="desk-messages">What was said</h2>
            <ol role="log" aria-live="polite" className="desk-log">
              {found.messages.items.map((message) => (
                <li key={message.id} className={`desk-message ${message.role}`} data-testid="desk-message">
                  <span className="account-item-dates">
                    {SPEAKERS[message.role]}, <time dateTime={message.created_at}>{timeOfDay(message.created_at)}</time>
                  </span>
                  <span className="desk-summary">{message.content}</span>
                </li>
              ))}
            </ol>
            <form className="form" onSubmit={reply} noValidate>
              <FormProblem message={problem.message} failure={problem.failure} />
              <div className="field">
                <label htmlFor="desk-reply">Your answer</label>
                <span className="field-control">
                  <textarea
                    id="desk-reply"
                    rows={3}
                    maxLength={MAX_CHARS}
                    value={text}
                    onChange={(event) => setText(event.target.value)}
                  />
                </span>
              </div>
              <div className="form-actions">
                <SubmitButton busy={busy}>Send the answer</SubmitButton>
                <button
                  type="button"
                  className="button button-secondary"
                  aria-disabled={busy}
                  onClick={() => void giveBack()}
                >
                  Hand back to the assistant
                </button>
              </div>
            </form>
          </section>
        </>
      )}
    </BankPage>
  )
}
