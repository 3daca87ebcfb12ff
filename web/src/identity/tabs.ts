const NAME = 'harborlight.session'

export type TabMessage = 'signed-in' | 'signed-out'

/**
 * Run work when no other tab of this browser does. The refresh token is used once, so two tabs at a time would each
 * look like a thief to the server. Where the browser has no Web Locks, the work runs at once.
 */
export async function inTurn(work: () => Promise<void>): Promise<void> {
  await (navigator.locks ? navigator.locks.request(NAME, work) : work())
}

class Tabs {
  #channel: BroadcastChannel | null = null

  /** Hear from the other tabs, in place of who heard before. */
  listen(hear: (message: TabMessage) => void): void {
    this.#channel?.close()
    if (typeof BroadcastChannel === 'undefined') return
    this.#channel = new BroadcastChannel(NAME)
    this.#channel.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (data === 'signed-in' || data === 'signed-out') hear(data)
    }
  }

  tell(message: TabMessage): void {
    this.#channel?.postMessage(message)
  }
}

export const tabs = new Tabs()
