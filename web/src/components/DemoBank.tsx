import type { Customer } from '../api/types'
import type { Draft } from '../conversation/draft'
import { useDemoCustomer } from '../conversation/useDemoCustomer'
import { Bank } from './Bank'
import { CustomerSelect } from './CustomerSelect'

interface DemoBankProps {
  customers: Customer[]
  draft: Draft
}

const GUEST_REFERENCE = 'demo'

/** The bank as a server in development shows it to whoever opens it. */
export function DemoBank({ customers, draft }: DemoBankProps) {
  const demo = useDemoCustomer(customers)
  return (
    <Bank
      owner={demo.customerId ?? ''}
      customerId={demo.customerId}
      listOwner={demo.customerId ?? GUEST_REFERENCE}
      customerName={demo.customer?.name ?? null}
      draft={draft}
      demo
      account={
        <div className="demo-controls">
          <CustomerSelect demo={demo} />
          <a className="button button-secondary" href="#sign-in">
            Sign in
          </a>
        </div>
      }
    />
  )
}
