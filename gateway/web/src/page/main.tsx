/** Puts the page into its document. */

import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'

import '../react/style.css'
import './page.css'
import { App } from './App.tsx'

const root = document.getElementById('root')
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  )
}
