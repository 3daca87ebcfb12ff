const TITLES: Record<string, string> = { google: 'Google', microsoft: 'Microsoft' }

export interface Provider {
  title: string
  href: string
}

/** The sign-in providers that the server wrote into the page's head: those that are set up, by name. */
export function signInProviders(): Provider[] {
  const meta = document.querySelector<HTMLMetaElement>('meta[name="sign-in-providers"]')
  const names = meta?.content.split(' ') ?? []
  return names.flatMap((name) => {
    const title = TITLES[name]
    return title === undefined ? [] : [{ title, href: `/api/auth/oauth/${name}/login` }]
  })
}
