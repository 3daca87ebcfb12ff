const UNKNOWN = 'Web browser'

/** The first that fits counts: most browsers also name those that they descend from. */
const BROWSERS: [RegExp, string][] = [
  [/Edg(e|A|iOS)?\//, 'Edge'],
  [/OPR\//, 'Opera'],
  [/SamsungBrowser\//, 'Samsung Internet'],
  [/(Firefox|FxiOS)\//, 'Firefox'],
  [/(Chrome|CriOS)\//, 'Chrome'],
  [/Version\/.*Safari\//, 'Safari'],
]
const SYSTEMS: [RegExp, string][] = [
  [/iPhone/, 'iPhone'],
  [/iPad/, 'iPad'],
  [/Android/, 'Android'],
  [/Windows/, 'Windows'],
  [/CrOS/, 'ChromeOS'],
  [/Macintosh/, 'macOS'],
  [/Linux/, 'Linux'],
]

/**
 * What this browser is called in its owner's list of sessions. Without versions: a renewal after a lost answer must give
 * the name of the sign-in, and browsers update themselves.
 */
export function deviceName(userAgent: string = navigator.userAgent): string {
  const browser = first(BROWSERS, userAgent) ?? UNKNOWN
  const system = first(SYSTEMS, userAgent)
  return system === null ? browser : `${browser} on ${system}`
}

function first(names: [RegExp, string][], text: string): string | null {
  return names.find(([pattern]) => pattern.test(text))?.[1] ?? null
}
