import { type RefObject, useEffect, useRef, useState } from 'react'
import type { Draft } from '../conversation/draft'
import type { ConversationActions } from '../conversation/useConversation'
import { Composer } from './Composer'
import { PersonNotice } from './PersonNotice'
import { Transcript } from './Transcript'
import { TroubleNotice } from './TroubleNotice'
import { Welcome } from './Welcome'

interface ConversationViewProps {
  talk: ConversationActions
  inputRef: RefObject<HTMLTextAreaElement | null>
  customerName: string | null
  owner: string
  draft: Draft
  covered: boolean
}

export function ConversationView({ talk, inputRef, customerName, owner, draft: kept, covered }: ConversationViewProps) {
  const { conversation } = talk
  const [draft, setShownDraft] = useState(() => kept.read(owner))
  const scroller = useRef<HTMLDivElement>(null)
  const focusAfterwards = useRef<HTMLElement | null>(null)
  const busy = conversation.status !== 'idle'

  useEffect(() => {
    if (busy) return
    focusAfterwards.current?.focus({ preventScroll: true })
    focusAfterwards.current = null
  }, [busy])

  const setDraft = (text: string) => {
    kept.write(owner, text)
    setShownDraft(text)
  }

  const sendDraft = (text: string) => {
    focusAfterwards.current = inputRef.current
    setDraft('')
    talk.send(text)
  }

  const afterTap = () => {
    const touch = window.matchMedia('(pointer: coarse)').matches
    focusAfterwards.current = touch ? scroller.current : inputRef.current
  }

  const sendChosen = (text: string) => {
    afterTap()
    talk.send(text)
  }

  const moveToDraft = (text: string) => {
    setDraft([text, draft].filter(Boolean).join('\n'))
    inputRef.current?.focus()
  }

  return (
    <main className="conversation">
      <h1 className="visually-hidden">Harborlight Bank assistant</h1>
      <Transcript
        conversation={conversation}
        scrollerRef={scroller}
        welcome={<Welcome customerName={customerName} onAsk={sendChosen} />}
        trouble={
          conversation.trouble && (
            <TroubleNotice
              trouble={conversation.trouble}
              onRetry={() => {
                afterTap()
                talk.retry()
              }}
              onEdit={() => moveToDraft(talk.withdraw())}
              onRestart={() => {
                const text = talk.withdraw()
                talk.startNew()
                moveToDraft(text)
              }}
            />
          )
        }
        covered={covered}
        onNextStep={sendChosen}
      />
      <PersonNotice handoff={conversation.handoff} onTakeBack={talk.takeBack} />
      <Composer draft={draft} busy={busy} inputRef={inputRef} onChange={setDraft} onSend={sendDraft} />
    </main>
  )
}
