import { useEffect, useState } from 'react'

const QUIET_MODULES = 4
const encoder = () => import('qr')

type Drawing = boolean[][] | 'coming' | 'failed'

/**
 * A QR code (ISO/IEC 18004), drawn here: nobody else is told what it holds. `label` is read out in its place. Where it
 * cannot be drawn it is left out; what it holds has to stand beside it as text.
 */
export function QrCode({ text, label }: { text: string; label: string }) {
  const [drawing, setDrawing] = useState<Drawing>('coming')

  useEffect(() => {
    let current = true
    const show = (found: Drawing) => current && setDrawing(found)
    encoder()
      .then(({ encodeQR }) => show(encodeQR(text, 'raw', { ecc: 'low', border: QUIET_MODULES })))
      .catch(() => show('failed'))
    return () => {
      current = false
    }
  }, [text])

  if (drawing === 'failed') return null
  const rows = drawing === 'coming' ? [] : drawing
  return (
    <svg className="qr" viewBox={`0 0 ${rows.length} ${rows.length}`} role="img" aria-label={label}>
      <rect className="qr-ground" width="100%" height="100%" />
      <path className="qr-modules" shapeRendering="crispEdges" d={rows.map(rowPath).join('')} />
    </svg>
  )
}

function rowPath(row: boolean[], y: number): string {
  return row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : '')).join('')
}
