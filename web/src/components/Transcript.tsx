import { type ReactNode, type RefObject, useEffect } from 'react'
import type { Conversation } from '../conversation/state'
import { Mark } from './Mark'
import { MessageItem } from './MessageItem'

const QUESTION_GAP = 24

interface TranscriptProps {
  conversation: Conversation
  scrollerRef: RefObject<HTMLDivElement | null>
  welcome: ReactNode
  trouble: ReactNode
  /** Whether another page covers this one. */
  covered: boolean
  onNextStep: (text: string) => void
}

export function Transcript({ conversation, scrollerRef, welcome, trouble, covered, onNextStep }: TranscriptProps) {
  const { messages, status } = conversation
  const last = messages.at(-1)
  const answered = status === 'idle' && last?.role === 'assistant' && last.pending === null // a card has its buttons
  const nextSteps = answered ? last.nextSteps : []

  useEffect(() => {
    if (scrollerRef.current) showLatestTurn(scrollerRef.current)
  }, [messages, status, trouble !== null, scrollerRef])

  return (
    <div className="scroller" ref={scrollerRef} tabIndex={0} role="region" aria-label="Conversation">
      <div className="column">
        {messages.length === 0 && status === 'idle' && !conversation.trouble && welcome}
        {status === 'loading' && <p className="loading">Opening your conversation…</p>}
        <div role="log" aria-live="polite" aria-label="Messages" aria-busy={status === 'loading'} className="log">
          {messages.map((message) => (
            <MessageItem key={message.key} message={message} away={covered || status === 'sending'} />
          ))}
          {status === 'sending' && <Typing />}
        </div>
        {nextSteps.length > 0 && <NextSteps steps={nextSteps} onChoose={onNextStep} />}
        {trouble}
      </div>
    </div>
  )
}

function showLatestTurn(scroller: HTMLElement) {
  const question = Array.from(scroller.querySelectorAll<HTMLElement>('.from-user')).at(-1)
  const top = question ? question.offsetTop - QUESTION_GAP : 0
  scroller.scrollTop = Math.min(top, scroller.scrollHeight - scroller.clientHeight)
}

function NextSteps({ steps, onChoose }: { steps: string[]; onChoose: (text: string) => void }) {
  return (
    <ul className="next-steps" aria-label="Suggested next steps">
      {steps.map((step) => (
        <li key={step}>
          <button type="button" className="next-step" data-testid="next-step" onClick={() => onChoose(step)}>
            {step}
          </button>
        </li>
      ))}
    </ul>
  )
}

function Typing() {
  return (
    <div className="message from-assistant">
      <Mark />
      <p className="typing">
        <span className="visually-hidden">The assistant is typing</span>
        <span className="dot" />
        <span className="dot" />
        <span className="dot" />
      </p>
    </div>
  )
}
