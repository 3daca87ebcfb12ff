import { type ReactNode, useId, useState } from 'react'
import type { AnswerDetails, LiveDetails } from '../conversation/state'
import { useIntentTitle } from '../conversation/useIntentTitle'
import { duration, humanize, percent } from '../lib/format'
import { ChevronIcon } from './Icons'

interface AnswerDetailsPanelProps {
  details: AnswerDetails | null
  children: ReactNode
}

export function AnswerDetailsPanel({ details, children }: AnswerDetailsPanelProps) {
  const [open, setOpen] = useState(false)
  const panelId = useId()
  return (
    <>
      <p className="message-meta">
        {children}
        {details && (
          <button
            type="button"
            className="details-toggle"
            data-testid="details-toggle"
            aria-expanded={open}
            aria-controls={panelId}
            onClick={() => setOpen(!open)}
          >
            Details
            <ChevronIcon />
          </button>
        )}
      </p>
      {details && (
        <div id={panelId} className="details" data-testid="details" hidden={!open}>
          {open && <Facts details={details} />}
        </div>
      )}
    </>
  )
}

function Facts({ details }: { details: AnswerDetails }) {
  const title = useIntentTitle(details.intent)
  return (
    <>
      <dl>
        <Fact term="Intent">
          <span>{title}</span> <code>{details.intent}</code>
        </Fact>
        <Fact term="Confidence">
          <Confidence value={percent(details.confidence)} />
        </Fact>
        {details.live && <LiveFacts live={details.live} />}
      </dl>
      {!details.live && (
        <p className="details-note">Sources and timing are shown for answers given since this page was opened.</p>
      )}
    </>
  )
}

function LiveFacts({ live }: { live: LiveDetails }) {
  return (
    <>
      <Fact term="In scope">{live.inScope ? 'Yes' : 'No'}</Fact>
      <Fact term="Sources">{live.citations.length === 0 ? 'None' : <Sources live={live} />}</Fact>
      <Fact term="Model">{live.modelVersion}</Fact>
      <Fact term="Engine">{live.engine}</Fact>
      <Fact term="Answered in">{duration(live.processingTimeMs)}</Fact>
    </>
  )
}

function Sources({ live }: { live: LiveDetails }) {
  return (
    <ul className="sources">
      {live.citations.map((citation) => (
        <li key={`${citation.kind}:${citation.id}`}>
          <span className="source-kind">{humanize(citation.kind)}:</span> {citation.text}
        </li>
      ))}
    </ul>
  )
}

function Confidence({ value }: { value: number }) {
  return (
    <span className="confidence">
      <span>{value}%</span>
      <svg className="confidence-bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
        <rect className="confidence-track" width="100" height="6" />
        <rect className="confidence-fill" width={value} height="6" />
      </svg>
    </span>
  )
}

function Fact({ term, children }: { term: string; children: ReactNode }) {
  return (
    <div className="fact">
      <dt>{term}</dt>
      <dd>{children}</dd>
    </div>
  )
}
