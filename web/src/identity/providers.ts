const TITLES: Record<string, string> = { google: 'Google', microsoft: 'Microsoft' }

export interface Provider {
  name: string
  title: string
  href: string
}

/** The sign-in providers that the server wrote into the page's head: those that are set up, by name. */
export function signInProviders(): Provider[] {
  const meta = document.querySelector<HTMLMetaElement>('meta[name="sign-in-providers"]')
  const names = meta?.content.split(' ') ?? []
  return names.flatMap((name) => {
    const title = providerTitle(name)
    return title === null ? [] : [{ name, title, href: `/api/auth/oauth/${name}/login` }]
  })
}

/** What people call a provider; null for a name that the page does not know. */
export function providerTitle(name: string): string | null {
  return Object.hasOwn(TITLES, name) ? (TITLES[name] ?? null) : null
}
