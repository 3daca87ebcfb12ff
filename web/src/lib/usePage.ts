import { useCallback, useSyncExternalStore } from 'react'

const PAGES = ['sign-in', 'sign-up', 'account', 'accounts', 'payees', 'activity'] as const

export type Page = 'conversation' | (typeof PAGES)[number]

/** Which page the address names, how to go to another, and what on it is meant. The browser's back button works. */
export function usePage(): [Page, (page: Page) => void, string | null] {
  const hash = useSyncExternalStore(subscribe, () => window.location.hash)
  const [named, detail = null] = hash.slice(1).split('/')
  const page = PAGES.find((name) => name === named) ?? 'conversation'
  const go = useCallback((next: Page) => {
    window.location.hash = next === 'conversation' ? '' : next
  }, [])
  return [page, go, detail]
}

function subscribe(notify: () => void): () => void {
  window.addEventListener('hashchange', notify)
  return () => window.removeEventListener('hashchange', notify)
}
