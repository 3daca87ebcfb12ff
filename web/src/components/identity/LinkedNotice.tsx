import { useEffect, useState } from 'react'

interface LinkedNoticeProps {
  /** The provider, as people call it. */
  provider: string | null
  onClose: () => void
}

/** Confirms that an account with a provider is linked. The region is there before its words, so that they are read out. */
export function LinkedNotice({ provider, onClose }: LinkedNoticeProps) {
  const [ready, setReady] = useState(false)
  useEffect(() => setReady(true), [])
  return (
    <div role="status" className="linked-region">
      {ready && provider !== null && (
        <div className="linked" data-testid="linked">
          <p>Your {provider} account is linked. You can sign in with it from now on.</p>
          <button type="button" className="link-button" onClick={onClose}>
            Close
          </button>
        </div>
      )}
    </div>
  )
}
