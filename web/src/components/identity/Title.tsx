import { type ReactNode, useEffect, useRef } from 'react'

/** The page's heading. It takes the focus when the page comes up, so that a screen reader begins there. */
export function Title({ children }: { children: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => heading.current?.focus(), [])
  return (
    <h1 className="page-title" tabIndex={-1} ref={heading}>
      {children}
    </h1>
  )
}
