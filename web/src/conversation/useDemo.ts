import { useCallback, useEffect, useState } from 'react'
import { listDemoCustomers } from '../api/client'
import { failureFromException } from '../api/failure'
import type { Customer } from '../api/types'
import { readCustomerId, writeConversationId, writeCustomerId } from '../lib/storage'

const GUEST_REFERENCE = 'demo'
const ASK_AGAIN_MS = 4000

export interface Demo {
  enabled: boolean
  customers: Customer[]
  customer: Customer | null
  customerId: string | null
  /** Whose conversations to list: null for the signed-in caller, undefined until the server has said its mode. */
  listOwner: string | null | undefined
  choose: (customerId: string | null) => void
}

type Mode = { name: 'unknown' } | { name: 'demo'; customers: Customer[] } | { name: 'signed-in' }

export function useDemo(): Demo {
  const [mode, setMode] = useState<Mode>({ name: 'unknown' })
  const [customerId, setCustomerId] = useState(readCustomerId)

  const choose = useCallback((id: string | null) => {
    writeCustomerId(id)
    writeConversationId(id, null)
    setCustomerId(id)
  }, [])

  useEffect(() => {
    let current = true
    let timer: number | undefined

    const settle = (found: Mode, known: Customer[]) => {
      if (!current) return
      const stored = readCustomerId()
      if (stored && !known.some((customer) => customer.id === stored)) choose(null)
      setMode(found)
    }

    const ask = async () => {
      try {
        const customers = await listDemoCustomers()
        settle({ name: 'demo', customers }, customers)
      } catch (cause) {
        const { kind } = failureFromException(cause)
        if (kind === 'denied' || kind === 'gone') settle({ name: 'signed-in' }, [])
        else if (current) timer = window.setTimeout(ask, ASK_AGAIN_MS)
      }
    }

    void ask()
    return () => {
      current = false
      window.clearTimeout(timer)
    }
  }, [choose])

  const customers = mode.name === 'demo' ? mode.customers : []
  return {
    enabled: mode.name === 'demo',
    customers,
    customer: customers.find((customer) => customer.id === customerId) ?? null,
    customerId,
    listOwner: mode.name === 'unknown' ? undefined : (customerId ?? (mode.name === 'demo' ? GUEST_REFERENCE : null)),
    choose,
  }
}
