import { type RefObject, useEffect } from 'react'

/** Keep a part of the page in view while it changes its size. */
export function useStayInView(part: RefObject<HTMLElement | null>, active: boolean): void {
  useEffect(() => {
    const element = part.current
    if (!active || element === null) return
    const observer = new ResizeObserver(() => element.scrollIntoView({ block: 'nearest' }))
    observer.observe(element)
    return () => observer.disconnect()
  }, [part, active])
}
