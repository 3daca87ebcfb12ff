import { type ReactNode, useEffect, useRef } from 'react'

interface TitleProps {
  children: ReactNode
  /** Whether it takes the focus when the page comes up, so that a screen reader begins there. */
  focused?: boolean
}

export function Title({ children, focused = true }: TitleProps) {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    if (focused) heading.current?.focus()
  }, [focused])
  return (
    <h1 className="page-title" tabIndex={-1} ref={heading}>
      {children}
    </h1>
  )
}
