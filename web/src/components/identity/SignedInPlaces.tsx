import { useEffect, useRef, useState } from 'react'
import { endOtherSessions, endOwnSession, listOwnSessions } from '../../api/client'
import { ApiFailure } from '../../api/failure'
import type { OwnSession } from '../../api/types'
import { dateAndTime } from '../../lib/format'
import { useSubmit } from '../../lib/useSubmit'
import { AccountSection } from './AccountSection'

/** Where the person is signed in, to see what is not theirs and to end it. */
export function SignedInPlaces() {
  const [sessions, setSessions] = useState<OwnSession[] | null>(null)
  const [done, setDone] = useState('')
  const heading = useRef<HTMLHeadingElement>(null)
  const { busy, problem, submit } = useSubmit({})
  const load = () => void submit(async () => setSessions(await listOwnSessions()))

  useEffect(load, [])

  /** The button goes with the session, so the focus goes to the heading. */
  const finish = (left: (session: OwnSession) => boolean, words: string) => {
    setSessions((before) => before?.filter(left) ?? null)
    setDone(words)
    heading.current?.focus()
  }

  const end = ({ id, device }: OwnSession) =>
    submit(async () => {
      setDone('')
      const ended = await endOnce(id)
      finish((one) => one.id !== id, `${nameOf(device)}: ${ended ? 'signed out.' : 'the session was over already.'}`)
    })

  const endOthers = () =>
    submit(async () => {
      setDone('')
      await endOtherSessions()
      finish((one) => one.current, 'You are signed in here only.')
    })

  return (
    <AccountSection
      title="Where you are signed in"
      headingRef={heading}
      done={done}
      problem={problem}
      remedy={
        sessions === null && (
          <button type="button" className="link-button" onClick={load}>
            Try again
          </button>
        )
      }
    >
      <p>If you do not know one of these, end it and tell the bank. Devices name themselves.</p>
      {sessions === null && problem.message === null && <p className="loading">Loading your sessions…</p>}
      {sessions !== null && (
        <ul className="account-list" aria-label="Your sessions">
          {sessions.map((session) => (
            <Place key={session.id} session={session} busy={busy} onEnd={() => void end(session)} />
          ))}
        </ul>
      )}
      {sessions?.some((one) => !one.current) && (
        <div className="form-actions">
          <button
            type="button"
            className="button button-secondary"
            aria-disabled={busy}
            onClick={() => void endOthers()}
          >
            End all others
          </button>
        </div>
      )}
    </AccountSection>
  )
}

interface PlaceProps {
  session: OwnSession
  busy: boolean
  onEnd: () => void
}

function Place({ session: { device, started_at, last_used_at, current }, busy, onEnd }: PlaceProps) {
  return (
    <li className="account-item" aria-current={current ? 'true' : undefined}>
      <span className="account-item-text">
        <span className="account-item-name">
          {nameOf(device)}
          {current && <span className="account-item-mark">This session</span>}
        </span>
        <span className="account-item-dates">
          Signed in <time dateTime={started_at}>{dateAndTime(started_at)}</time>, last used{' '}
          <time dateTime={last_used_at}>{dateAndTime(last_used_at)}</time>
        </span>
      </span>
      {!current && (
        <button
          type="button"
          className="button button-quiet"
          aria-disabled={busy}
          aria-label={`End the session: ${nameOf(device)}, last used ${dateAndTime(last_used_at)}`}
          onClick={onEnd}
        >
          End
        </button>
      )}
    </li>
  )
}

function nameOf(device: string | null): string {
  return device ?? 'A device without a name'
}

/** End a session; false where it was over already, which is what was wanted. */
async function endOnce(id: string): Promise<boolean> {
  try {
    await endOwnSession(id)
    return true
  } catch (cause) {
    if (cause instanceof ApiFailure && cause.kind === 'gone') return false
    throw cause
  }
}
