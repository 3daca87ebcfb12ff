/**
 * What was typed and not yet answered, for its writer alone. It outlives the parts of the page, so that whoever has to
 * sign in again finds it; it never outlives the sign-out. A message under way counts as typed until it is settled: a
 * page that goes away while it waits does not learn what became of it.
 */
export class Draft {
  #owner: string | null = null
  #text = ''
  #underWay = ''

  read(owner: string): string {
    if (owner !== this.#owner) return ''
    this.#text = [this.#underWay, this.#text].filter(Boolean).join('\n')
    this.#underWay = ''
    return this.#text
  }

  write(owner: string, text: string): void {
    this.#belongTo(owner)
    this.#text = text
  }

  send(owner: string, message: string): void {
    this.#belongTo(owner)
    this.#underWay = message
  }

  /** The message under way was answered, or stands in the conversation as one that failed. */
  settle(): void {
    this.#underWay = ''
  }

  /** Forget everything that is not of this owner; null forgets all. */
  keepFor(owner: string | null): void {
    if (owner === null || owner !== this.#owner) this.#clear(owner)
  }

  #belongTo(owner: string): void {
    if (owner !== this.#owner) this.#clear(owner)
  }

  #clear(owner: string | null): void {
    this.#owner = owner
    this.#text = ''
    this.#underWay = ''
  }
}
