import { useCallback, useSyncExternalStore } from 'react'

const PAGES = ['sign-in', 'sign-up', 'account'] as const

export type Page = 'conversation' | (typeof PAGES)[number]

/** Which page the address names, and how to go to another. The browser's back button works. */
export function usePage(): [Page, (page: Page) => void] {
  const hash = useSyncExternalStore(subscribe, () => window.location.hash)
  const page = PAGES.find((name) => hash === `#${name}`) ?? 'conversation'
  const go = useCallback((next: Page) => {
    window.location.hash = next === 'conversation' ? '' : next
  }, [])
  return [page, go]
}

function subscribe(notify: () => void): () => void {
  window.addEventListener('hashchange', notify)
  return () => window.removeEventListener('hashchange', notify)
}
