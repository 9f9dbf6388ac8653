/** Builds the page that the gateway serves at `/`: index.html and hashed assets, nothing inline (the policy forbids it). */

import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: process.env['WAYBILL_PAGE_DIR'] ?? 'dist/page',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
})
