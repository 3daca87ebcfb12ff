type Json = Record<string, unknown>

/** The browser or the person did not go through with a passkey. The message may be shown. */
export class PasskeyFailure extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'PasskeyFailure'
  }
}

const UNABLE = 'This browser cannot use passkeys here. Update it, or use another browser or device.'
const MESSAGES: Record<string, string> = {
  NotAllowedError: 'The passkey was not used: the prompt was closed, or it took too long. Try again.',
  InvalidStateError: 'This device holds a passkey of yours already.',
  SecurityError: 'Passkeys do not work at this address. Open the page at the address that the bank gives.',
}

/** Prove with a passkey: `options` are the server's, the answer is for the server. Throws PasskeyFailure. */
export function provePasskey(options: Json): Promise<Json> {
  return inJson(async () => {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(
      options as unknown as PublicKeyCredentialRequestOptionsJSON,
    )
    return navigator.credentials.get({ publicKey })
  })
}

/** Make a passkey: `options` are the server's, the answer is for the server. Throws PasskeyFailure. */
export function createPasskey(options: Json): Promise<Json> {
  return inJson(async () => {
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(
      options as unknown as PublicKeyCredentialCreationOptionsJSON,
    )
    return navigator.credentials.create({ publicKey })
  })
}

async function inJson(ask: () => Promise<Credential | null>): Promise<Json> {
  if (typeof PublicKeyCredential === 'undefined' || !('parseRequestOptionsFromJSON' in PublicKeyCredential)) {
    throw new PasskeyFailure(UNABLE)
  }
  try {
    const credential = await ask()
    if (credential instanceof PublicKeyCredential) return { ...credential.toJSON() }
  } catch (cause) {
    throw new PasskeyFailure((cause instanceof DOMException && MESSAGES[cause.name]) || UNABLE)
  }
  throw new PasskeyFailure(UNABLE)
}
