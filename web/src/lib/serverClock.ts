let aheadMs = 0

/** Learn the server's clock from an answer: a device can be minutes off, and a countdown must not be. */
export function noteServerTime(iso: string | undefined): void {
  const told = Date.parse(iso ?? '')
  if (!Number.isNaN(told)) aheadMs = told - Date.now()
}

/** Milliseconds since 1970 by the server's clock, as its last answer told it. */
export function serverNow(): number {
  return Date.now() + aheadMs
}
