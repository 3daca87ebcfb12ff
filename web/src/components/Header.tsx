import type { ReactNode } from 'react'
import { Mark } from './Mark'

interface HeaderProps {
  demo?: boolean
  start?: ReactNode
  places?: ReactNode
  account?: ReactNode
  end?: ReactNode
}

export function Header({ demo = false, start, places, account, end }: HeaderProps) {
  return (
    <>
      <header className="topbar">
        {start}
        <div className="brand">
          <Mark />
          <span className="brand-name">Harborlight Bank</span>
        </div>
        {places}
        {account}
        {end}
      </header>
      {demo && (
        <p className="demo-notice" role="note" data-testid="demo-notice">
          Demo, for development only: nobody is signed in, and the customers to choose from are invented.
        </p>
      )}
    </>
  )
}
