import type { ApiFailure } from '../api/failure'
import type { Trouble } from './state'

export interface TroubleText {
  title: string
  advice: string
  remedy: 'retry' | 'edit' | 'restart'
}

export function troubleText({ failure, during }: Trouble): TroubleText {
  const subject = during === 'send' ? 'Your message is kept above.' : 'Your conversation is safe.'
  switch (failure.kind) {
    case 'network':
      return {
        title: 'We could not reach the bank',
        advice: `${subject} Check your connection, then try again.`,
        remedy: 'retry',
      }
    case 'unavailable':
      return {
        title: 'The assistant is unavailable right now',
        advice: `${subject} Please try again in a moment.`,
        remedy: 'retry',
      }
    case 'limited':
      return {
        title: 'That was a lot of messages at once',
        advice: `${subject} Wait a moment, then try again.`,
        remedy: 'retry',
      }
    case 'signed-out':
      return { title: 'You are not signed in', advice: sentence(failure), remedy: 'retry' }
    case 'denied':
      return { title: 'You may not do this', advice: sentence(failure), remedy: 'retry' }
    case 'invalid':
      return {
        title: 'This message could not be accepted',
        advice: sentence(failure),
        remedy: during === 'send' ? 'edit' : 'restart',
      }
    case 'gone':
      return {
        title: 'This conversation is no longer available',
        advice:
          during === 'send'
            ? 'Start a new one and your message comes with you.'
            : 'It may have been deleted. You can start a new one.',
        remedy: 'restart',
      }
    case 'server':
      return {
        title: 'Something went wrong on our side',
        advice: `${subject} Please try again.`,
        remedy: 'retry',
      }
  }
}

function sentence({ message }: ApiFailure): string {
  return /[.!?]$/.test(message) ? message : `${message}.`
}
