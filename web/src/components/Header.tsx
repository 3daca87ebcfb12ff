import type { ReactNode } from 'react'
import type { Demo } from '../conversation/useDemo'
import { CustomerSelect } from './CustomerSelect'
import { Mark } from './Mark'

interface HeaderProps {
  demo: Demo
  start?: ReactNode
  end?: ReactNode
}

export function Header({ demo, start, end }: HeaderProps) {
  return (
    <header className="topbar">
      {start}
      <div className="brand">
        <Mark />
        <span className="brand-name">Harborlight Bank</span>
        {demo.enabled && <span className="tag">demo</span>}
      </div>
      {demo.enabled && <CustomerSelect demo={demo} />}
      {end}
    </header>
  )
}
