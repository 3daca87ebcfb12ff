import { useEffect, useId, useRef } from 'react'
import type { Operation, Pending } from '../../api/types'
import { type OperationView, useOperation } from '../../banking/useOperation'
import { useStayInView } from '../../lib/useStayInView'
import { CancelButton } from '../identity/CancelButton'
import { FormProblem } from '../identity/FormProblem'
import { ProofForm } from '../identity/ProofForm'
import { Countdown } from './Countdown'
import { Receipt } from './Receipt'
import { OPERATION_STATUS } from './words'

interface OperationCardProps {
  pending: Pending
  /** What the assistant said of it, true while it waits. */
  note?: string
  /** Whether something else may be changing it now. */
  away?: boolean
  onDone?: () => void
}

const OUTCOMES: Partial<Record<Operation['status'], string>> = {
  voided: 'This was called off or changed. Nothing was done.',
  expired: 'The time to confirm is over. Nothing was done: ask for it again if you still want it.',
  failed: 'The bank could not carry it out.',
}
const UNKNOWN =
  'The bank cannot be reached, so we do not know whether this was done. Check again before you order it anew.'
const FACTORS: Record<string, string> = { totp: 'a code from your authenticator app', webauthn: 'your passkey' }

/** What the customer decides on: the text as the bank froze it, the time left, two buttons; then what came of it. */
export function OperationCard({ pending, note, away = false, onDone }: OperationCardProps) {
  const view = useOperation(pending, away)
  const { status, known, acted } = view
  const id = useId()
  const card = useRef<HTMLElement>(null)
  const heading = useRef<HTMLHeadingElement>(null)
  useStayInView(card, acted)

  useEffect(() => {
    if (status !== 'pending' && acted) heading.current?.focus()
  }, [status, acted])

  useEffect(() => {
    if (status === 'executed') onDone?.()
  }, [status, onDone])

  return (
    <section className={`operation ${status}`} ref={card} aria-labelledby={id} data-testid="operation">
      <div className="operation-head">
        <h3 id={id} tabIndex={-1} ref={heading}>
          {OPERATION_STATUS[status]}
        </h3>
        {status === 'pending' && <Countdown left={view.left} />}
      </div>
      <p className="operation-summary">{pending.summary}</p>
      {OUTCOMES[status] !== undefined && <p className="operation-note">{OUTCOMES[status]}</p>}
      {status === 'pending' && <Waiting view={view} away={away} note={note ?? needs(pending.requires)} />}
      {known?.status === 'executed' && <Receipt operation={known} />}
    </section>
  )
}

interface WaitingProps {
  view: OperationView
  away: boolean
  note: string
}

function Waiting({ view, away, note }: WaitingProps) {
  const { phase, trouble, left } = view
  const confirmButton = useRef<HTMLButtonElement>(null)
  const before = useRef(phase.name)
  const asking = phase.name === 'asking'
  const lost = asking && phase.lost
  const busy = away || asking || phase.name === 'sending'

  useEffect(() => {
    if (before.current === 'proving' && phase.name === 'waiting') confirmButton.current?.focus()
    before.current = phase.name
  }, [phase.name])

  if (phase.name === 'proving') {
    return (
      <div className="operation-proof" aria-live="off">
        <ProofForm
          key={phase.challenge.challenge_id}
          challenge={phase.challenge}
          action="Confirm"
          onProof={(proof) => view.giveProof(phase.challenge, proof)}
          onRestart={view.confirm}
        >
          <CancelButton onClick={view.leaveProof} />
        </ProofForm>
      </div>
    )
  }
  if (phase.name === 'unknown') {
    return (
      <FormProblem message={UNKNOWN}>
        <button type="button" className="link-button" onClick={view.ask}>
          Check again
        </button>
      </FormProblem>
    )
  }
  return (
    <>
      <p role="status" className={lost ? 'operation-note' : 'visually-hidden'}>
        {lost && 'We did not get the answer. We are asking the bank whether it was done.'}
      </p>
      <FormProblem message={trouble?.message ?? null}>
        {trouble?.setUp && <a href="#account">Your second factors</a>}
      </FormProblem>
      {left > 0 && !lost && (
        <>
          <p className="operation-note">{note}</p>
          <div className="form-actions" aria-live="off">
            <button
              type="button"
              className="button button-primary"
              ref={confirmButton}
              aria-disabled={busy}
              onClick={view.confirm}
            >
              {phase.name === 'sending' ? 'One moment…' : 'Confirm'}
            </button>
            <button type="button" className="button button-secondary" aria-disabled={busy} onClick={view.callOff}>
              Call off
            </button>
          </div>
        </>
      )}
    </>
  )
}

function needs(requires: string[]): string {
  if (requires.length === 0) return 'Nothing is done until you confirm.'
  return `This needs ${requires.map((one) => FACTORS[one] ?? one).join(' or ')}. Nothing is done until you confirm.`
}
