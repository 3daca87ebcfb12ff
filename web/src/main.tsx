import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './App'
import { bankSession } from './identity/session'
import './styles/index.css'

const root = document.getElementById('root')
if (!root) throw new Error('The page has no #root element.')

void bankSession.start()

createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
)
