import { useEffect, useState } from 'react'

const MARGIN = 4
const encoder = () => import('qr')

/** A QR code (ISO/IEC 18004), drawn here: nobody else is told what it holds. `label` is read out in its place. */
export function QrCode({ text, label }: { text: string; label: string }) {
  const [modules, setModules] = useState<boolean[][] | null>(null)

  useEffect(() => {
    let current = true
    void encoder().then(({ encodeQR }) => {
      if (current) setModules(encodeQR(text, 'raw', { ecc: 'medium', border: 0 }))
    })
    return () => {
      current = false
    }
  }, [text])

  const size = (modules?.length ?? 0) + 2 * MARGIN
  return (
    <svg className="qr" viewBox={`0 0 ${size} ${size}`} role="img" aria-label={label} shapeRendering="crispEdges">
      <rect className="qr-ground" width={size} height={size} />
      {modules && <path className="qr-modules" d={modules.map(rowPath).join('')} />}
    </svg>
  )
}

function rowPath(row: boolean[], y: number): string {
  return row.map((dark, x) => (dark ? `M${x + MARGIN} ${y + MARGIN}h1v1h-1z` : '')).join('')
}
