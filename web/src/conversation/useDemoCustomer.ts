import { useCallback, useEffect, useState } from 'react'
import type { Customer } from '../api/types'
import { readCustomerId, writeConversationId, writeCustomerId } from '../lib/storage'

export interface DemoCustomer {
  customers: Customer[]
  customer: Customer | null
  customerId: string | null
  choose: (customerId: string | null) => void
}

/** Which of the demo's customers the page plays; remembered, as long as the server knows them. */
export function useDemoCustomer(customers: Customer[]): DemoCustomer {
  const [chosen, setChosen] = useState(readCustomerId)
  const customer = customers.find((one) => one.id === chosen) ?? null

  const choose = useCallback((id: string | null) => {
    writeCustomerId(id)
    writeConversationId(id ?? '', null)
    setChosen(id)
  }, [])

  useEffect(() => {
    if (chosen !== null && customer === null) choose(null)
  }, [chosen, customer, choose])

  return { customers, customer, customerId: customer?.id ?? null, choose }
}
