/** Builds the React half of the package: `react.js` and the hooks it is made of, beside `client.js`, and the style. */

import { readFileSync } from 'node:fs'
import react from '@vitejs/plugin-react'
import { defineConfig, type Plugin } from 'vite'

/** The client and its tabs are files of their own, which both halves share: two copies would be two connections. */
const BESIDE = /\/(client|tabs)\/index\.ts$/

function besideTheClient(): Plugin {
  return {
    name: 'beside-the-client',
    enforce: 'pre',
    resolveId: (source) => {
      const name = BESIDE.exec(source)?.[1]
      return name ? { id: `./${name}.js`, external: true } : null
    },
    generateBundle() {
      const source = readFileSync(new URL('src/react/style.css', import.meta.url), 'utf8')
      this.emitFile({ type: 'asset', fileName: 'style.css', source })
    },
  }
}

export default defineConfig({
  plugins: [besideTheClient(), react()],
  publicDir: false,
  build: {
    lib: { entry: { react: 'src/react/index.ts', hooks: 'src/react/hooks.ts' }, formats: ['es'] },
    rollupOptions: {
      external: ['react', 'react/jsx-runtime'],
      output: { banner: "'use client'", entryFileNames: '[name].js', chunkFileNames: '[name].chunk.js' },
    },
    target: 'es2022',
    emptyOutDir: false,
    sourcemap: true,
  },
})
