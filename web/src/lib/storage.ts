const CUSTOMER_KEY = 'harborlight.customer'
const CONVERSATION_KEY = 'harborlight.conversation'

export function readCustomerId(): string | null {
  return read(() => localStorage.getItem(CUSTOMER_KEY))
}

export function writeCustomerId(customerId: string | null): void {
  write(() => localStorage, CUSTOMER_KEY, customerId)
}

export function readConversationId(customerId: string | null): string | null {
  const stored = read(() => sessionStorage.getItem(CONVERSATION_KEY))
  const prefix = `${customerId ?? ''}:`
  return stored?.startsWith(prefix) ? stored.slice(prefix.length) : null
}

export function writeConversationId(customerId: string | null, sessionId: string | null): void {
  write(() => sessionStorage, CONVERSATION_KEY, sessionId === null ? null : `${customerId ?? ''}:${sessionId}`)
}

function read(get: () => string | null): string | null {
  try {
    return get()
  } catch {
    return null
  }
}

function write(storage: () => Storage, key: string, value: string | null): void {
  try {
    if (value === null) storage().removeItem(key)
    else storage().setItem(key, value)
  } catch {
    return
  }
}
