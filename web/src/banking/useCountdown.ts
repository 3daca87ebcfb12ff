import { useEffect, useState } from 'react'
import { serverNow } from '../lib/serverClock'

const TICK_MS = 500

/** Whole seconds until a time, by the server's clock; zero when it is over. It stands still while not `running`. */
export function useCountdown(until: string, running: boolean): number {
  const [left, setLeft] = useState(() => secondsLeft(until))
  useEffect(() => {
    if (!running) return
    setLeft(secondsLeft(until))
    const timer = window.setInterval(() => setLeft(secondsLeft(until)), TICK_MS)
    return () => window.clearInterval(timer)
  }, [until, running])
  return left
}

function secondsLeft(until: string): number {
  return Math.max(0, Math.ceil((Date.parse(until) - serverNow()) / 1000))
}
