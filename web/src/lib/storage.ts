const CUSTOMER_KEY = 'harborlight.customer'
const CONVERSATION_KEY = 'harborlight.conversation'
const RETURN_KEY = 'harborlight.return'
const SIGNED_IN_KEY = 'harborlight.signed-in'

export function readCustomerId(): string | null {
  return read(() => localStorage.getItem(CUSTOMER_KEY))
}

export function writeCustomerId(customerId: string | null): void {
  write(() => localStorage, CUSTOMER_KEY, customerId)
}

export function readConversationId(owner: string): string | null {
  const stored = read(() => sessionStorage.getItem(CONVERSATION_KEY))
  const prefix = `${owner}:`
  return stored?.startsWith(prefix) ? stored.slice(prefix.length) : null
}

export function writeConversationId(owner: string, sessionId: string | null): void {
  write(() => sessionStorage, CONVERSATION_KEY, sessionId === null ? null : `${owner}:${sessionId}`)
}

export function forgetConversation(): void {
  write(() => sessionStorage, CONVERSATION_KEY, null)
}

/** Remember the page to come back to while a provider signs the person in. */
export function writeReturnPage(page: 'account' | null): void {
  write(() => sessionStorage, RETURN_KEY, page)
}

/** The page to come back to, once. */
export function takeReturnPage(): 'account' | null {
  const page = read(() => sessionStorage.getItem(RETURN_KEY))
  writeReturnPage(null)
  return page === 'account' ? page : null
}

/**
 * Whether this browser may hold the cookie of a session. The cookie itself cannot be seen from here; without the mark
 * every visitor would be refused a refresh first. Where nothing can be stored, the server is asked.
 */
export function mayBeSignedIn(): boolean {
  try {
    return localStorage.getItem(SIGNED_IN_KEY) !== null
  } catch {
    return true
  }
}

export function markSignedIn(signedIn: boolean): void {
  write(() => localStorage, SIGNED_IN_KEY, signedIn ? 'yes' : null)
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
