import { useSyncExternalStore } from 'react'
import { type SessionView, bankSession } from './session'

export function useSession(): SessionView {
  return useSyncExternalStore(bankSession.subscribe, bankSession.view)
}
