const TOLD_AT_S = [60, 30, 10]

/** The time left to confirm. It is read out at a few moments, not with every second. */
export function Countdown({ left }: { left: number }) {
  const told = TOLD_AT_S.findLast((moment) => left <= moment)
  return (
    <p className={left <= 60 ? 'countdown soon' : 'countdown'}>
      <span role="timer" aria-live="off" data-testid="countdown">
        {left > 0 ? `Expires in ${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}` : 'Time is over'}
      </span>
      <span role="status" className="visually-hidden">
        {left === 0 ? '' : told !== undefined && `Less than ${told} seconds left to confirm.`}
      </span>
    </p>
  )
}
