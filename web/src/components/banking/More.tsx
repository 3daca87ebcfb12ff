import type { Paged } from '../../lib/usePaged'
import { Loading } from './Loading'

/** The end of a list that comes page by page. */
export function More<T>({ what, list }: { what: string; list: Paged<T> }) {
  const { items, hasMore, busy, problem, more } = list
  return (
    <>
      <Loading what={what} coming={items === null} problem={problem} onRetry={more} />
      {items !== null && hasMore && problem === null && (
        <button type="button" className="button button-quiet button-wide" aria-disabled={busy} onClick={more}>
          {busy ? 'One moment…' : 'Show older'}
        </button>
      )}
    </>
  )
}
