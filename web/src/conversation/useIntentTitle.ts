import { useEffect, useState } from 'react'
import { listIntents } from '../api/client'
import { humanize } from '../lib/format'

let titles: Promise<Map<string, string>> | null = null

function intentTitles(): Promise<Map<string, string>> {
  titles ??= listIntents()
    .then((intents) => new Map(intents.map((intent) => [intent.name, intent.title])))
    .catch(() => {
      titles = null
      return new Map<string, string>()
    })
  return titles
}

export function useIntentTitle(name: string): string {
  const [title, setTitle] = useState<string | null>(null)
  useEffect(() => {
    let current = true
    void intentTitles().then((known) => {
      if (current) setTitle(known.get(name) ?? null)
    })
    return () => {
      current = false
    }
  }, [name])
  return title ?? humanize(name)
}
