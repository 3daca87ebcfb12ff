import type { Page } from '../lib/usePage'

const PLACES: { page: Page; title: string }[] = [
  { page: 'conversation', title: 'Chat' },
  { page: 'accounts', title: 'Accounts' },
  { page: 'payees', title: 'Payees' },
  { page: 'activity', title: 'Activity' },
]

/** The ways between the conversation and the pages beside it. */
export function Places({ page }: { page: Page }) {
  return (
    <nav className="places" aria-label="Pages">
      {PLACES.map((place) => (
        <a key={place.page} href={`#${place.page}`} aria-current={page === place.page ? 'page' : undefined}>
          {place.title}
        </a>
      ))}
    </nav>
  )
}
