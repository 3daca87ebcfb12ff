import type { ComponentType } from 'react'
import { BalanceIcon, CardIcon, ShieldIcon, TransferIcon } from './Icons'
import { Mark } from './Mark'

const EXAMPLES: { text: string; Icon: ComponentType }[] = [
  { text: 'What is my account balance?', Icon: BalanceIcon },
  { text: 'My card has not arrived yet', Icon: CardIcon },
  { text: 'How do I transfer money?', Icon: TransferIcon },
  { text: 'I think my card was stolen', Icon: ShieldIcon },
]

interface WelcomeProps {
  customerName: string | null
  onAsk: (text: string) => void
}

export function Welcome({ customerName, onAsk }: WelcomeProps) {
  const firstName = customerName?.split(' ')[0]
  return (
    <section className="welcome" aria-labelledby="welcome-title">
      <Mark />
      <h2 id="welcome-title">{firstName ? `Hello, ${firstName}.` : 'Welcome.'} How can we help?</h2>
      <p>Ask in your own words about accounts, cards, payments and security.</p>
      <ul className="examples">
        {EXAMPLES.map(({ text, Icon }) => (
          <li key={text}>
            <button type="button" className="example" onClick={() => onAsk(text)}>
              <Icon />
              <span>{text}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  )
}
