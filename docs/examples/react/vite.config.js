import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// In production the gateway stands behind the same host as the app; here Vite plays that host.
const gateway = process.env.WAYBILL_URL ?? 'http://127.0.0.1:8080'

// The Host stays the page's own: to a gateway without authentication another one is a stranger's page.
const proxy = { '/v1': { target: gateway, changeOrigin: false } }

export default defineConfig({ plugins: [react()], server: { proxy } })
