import { defineConfig } from 'vite'

export default defineConfig({
  build: {
    lib: { entry: 'src/client/index.ts', formats: ['es'], fileName: () => 'client.js' },
    target: 'es2022',
    emptyOutDir: false,
    sourcemap: true,
  },
})
