import { useRef, useState } from 'react'
import { ConversationPanel } from './components/ConversationPanel'
import { ConversationView } from './components/ConversationView'
import { Drawer } from './components/Drawer'
import { Header } from './components/Header'
import { MenuIcon } from './components/Icons'
import { NewConversationButton } from './components/NewConversationButton'
import { useConversation } from './conversation/useConversation'
import { useDemo } from './conversation/useDemo'
import { useMediaQuery } from './lib/useMediaQuery'
import { useSessions } from './sessions/useSessions'

export function App() {
  const demo = useDemo()
  const sessions = useSessions(demo.listOwner)
  const talk = useConversation(demo.customerId, sessions.refresh)
  const narrow = useMediaQuery('(max-width: 899px)')
  const [drawerOpen, setDrawerOpen] = useState(false)
  const composer = useRef<HTMLTextAreaElement>(null)
  const { sessionId } = talk.conversation

  const startNew = () => {
    talk.startNew()
    composer.current?.focus()
  }

  const panel = (
    <ConversationPanel
      list={sessions}
      currentId={sessionId}
      demo={demo.enabled}
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
      <a className="skip-link" href="#message">
        Skip to your message
      </a>
      <Header demo={demo} start={narrow && openDrawer} end={narrow && newConversation} />
      <div className="body">
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
          key={demo.customerId ?? 'guest'}
          talk={talk}
          inputRef={composer}
          customerName={demo.customer?.name ?? null}
        />
      </div>
    </div>
  )
}
