import { type ReactNode, useRef, useState } from 'react'
import type { Draft } from '../conversation/draft'
import { useConversation } from '../conversation/useConversation'
import { useMediaQuery } from '../lib/useMediaQuery'
import { useSessions } from '../sessions/useSessions'
import { ConversationPanel } from './ConversationPanel'
import { ConversationView } from './ConversationView'
import { Drawer } from './Drawer'
import { Header } from './Header'
import { MenuIcon } from './Icons'
import { NewConversationButton } from './NewConversationButton'

interface BankProps {
  /** Whose drafts and conversation this tab remembers. */
  owner: string
  /** The customer that the demo names in its requests; null for the signed-in caller and for the demo's guest. */
  customerId: string | null
  /** Whose conversations to list; null for the signed-in caller. */
  listOwner: string | null
  customerName: string | null
  draft: Draft
  demo?: boolean
  /** Whether the caller has accounts, and what waits to be confirmed. */
  banks?: boolean
  /** The ways to the pages beside the conversation. */
  places?: ReactNode
  account: ReactNode
  /** What has just happened, above the page. */
  notice?: ReactNode
  /** A page in place of the conversation, which waits behind it. */
  cover?: ReactNode
}

export function Bank(props: BankProps) {
  const { owner, customerId, listOwner, customerName, draft, places, account, notice, cover } = props
  const { demo = false, banks = false } = props
  const sessions = useSessions(listOwner)
  const talk = useConversation({ customerId, owner, banks, draft, onAnswered: sessions.refresh })
  const narrow = useMediaQuery('(max-width: 899px)')
  const [drawerOpen, setDrawerOpen] = useState(false)
  const composer = useRef<HTMLTextAreaElement>(null)
  const { sessionId } = talk.conversation
  const covered = Boolean(cover)

  const startNew = () => {
    talk.startNew()
    composer.current?.focus()
  }

  const panel = (
    <ConversationPanel
      list={sessions}
      currentId={sessionId}
      demo={demo}
      onOpen={(id) => {
        setDrawerOpen(false)
        talk.open(id)
      }}
      onRemoved={(id) => {
        if (id === sessionId) talk.startNew()
      }}
    />
  )
  const newConversation = <NewConversationButton compact={narrow} onClick={startNew} />
  const openDrawer = (
    <button
      type="button"
      className="icon-button"
      aria-label="Conversations"
      aria-haspopup="dialog"
      aria-expanded={drawerOpen}
      onClick={() => setDrawerOpen(true)}
    >
      <MenuIcon />
    </button>
  )

  return (
    <div className="app">
      {!covered && (
        <a className="skip-link" href="#message">
          Skip to your message
        </a>
      )}
      <Header
        demo={demo}
        start={narrow && !covered && openDrawer}
        places={places}
        account={account}
        end={narrow && !covered && newConversation}
      />
      {notice}
      {cover}
      <div className="body" hidden={covered}>
        {narrow ? (
          drawerOpen && (
            <Drawer label="Conversations" onClose={() => setDrawerOpen(false)}>
              {panel}
            </Drawer>
          )
        ) : (
          <aside className="side">
            {newConversation}
            {panel}
          </aside>
        )}
        <ConversationView
          key={owner}
          talk={talk}
          inputRef={composer}
          customerName={customerName}
          owner={owner}
          draft={draft}
          covered={covered}
        />
      </div>
    </div>
  )
}
