import { type MouseEvent, type ReactNode, useLayoutEffect, useRef } from 'react'
import { CloseIcon } from './Icons'

interface DrawerProps {
  label: string
  onClose: () => void
  children: ReactNode
}

export function Drawer({ label, onClose, children }: DrawerProps) {
  const dialog = useRef<HTMLDialogElement>(null)

  useLayoutEffect(() => {
    const element = dialog.current
    element?.showModal()
    return () => element?.close()
  }, [])

  const followClose = () => {
    if (!dialog.current?.open) onClose()
  }

  const closeOnBackdrop = (event: MouseEvent) => {
    if (event.target === dialog.current) onClose()
  }

  return (
    <dialog ref={dialog} className="drawer" aria-label={label} onClose={followClose} onClick={closeOnBackdrop}>
      <div className="drawer-body">
        <button type="button" className="icon-button drawer-close" aria-label="Close" onClick={onClose}>
          <CloseIcon />
        </button>
        {children}
      </div>
    </dialog>
  )
}
