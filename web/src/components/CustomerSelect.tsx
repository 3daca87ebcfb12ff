import type { DemoCustomer } from '../conversation/useDemoCustomer'
import { ChevronIcon } from './Icons'

export function CustomerSelect({ demo }: { demo: DemoCustomer }) {
  return (
    <label className="customer">
      <span className="customer-label">Demo customer</span>
      <span className="customer-control">
        <select
          data-testid="customer-select"
          value={demo.customerId ?? ''}
          onChange={(event) => demo.choose(event.target.value || null)}
        >
          <option value="">Guest</option>
          {demo.customers.map((customer) => (
            <option key={customer.id} value={customer.id}>
              {customer.name}
            </option>
          ))}
        </select>
        <ChevronIcon />
      </span>
    </label>
  )
}
