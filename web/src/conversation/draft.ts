/** What was typed and not yet answered, for its writer alone: it outlives the page's parts, never the sign-out. */
export class Draft {
  #owner: string | null = null
  #text = ''

  read(owner: string): string {
    return owner === this.#owner ? this.#text : ''
  }

  write(owner: string, text: string): void {
    this.#owner = owner
    this.#text = text
  }

  /** Put a message that could not be sent before what was typed since. */
  putBack(owner: string, message: string): void {
    this.write(owner, [message, this.read(owner)].filter(Boolean).join('\n'))
  }

  /** Forget everything that is not of this owner; null forgets all. */
  keepFor(owner: string | null): void {
    if (owner === null || owner !== this.#owner) this.write(owner ?? '', '')
  }
}
