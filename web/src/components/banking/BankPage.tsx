import type { ReactNode } from 'react'
import { Title } from '../identity/Title'

/** A page of the bank beside the conversation. */
export function BankPage({ title, back, children }: { title: string; back?: ReactNode; children: ReactNode }) {
  return (
    <main className="page">
      <div className="account">
        <div className="account-head">
          <Title key={title}>{title}</Title>
          {back}
        </div>
        {children}
      </div>
    </main>
  )
}
