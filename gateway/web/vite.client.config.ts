import { defineConfig } from 'vite'

/** The core alone, for whoever uses it without React. Minified: what a page loads is what the budget is for. */
export default defineConfig({
  build: {
    lib: { entry: 'src/client/index.ts', formats: ['es'], fileName: () => 'client.js' },
    target: 'es2022',
    // dist/ holds the other builds, too.
    emptyOutDir: false,
    sourcemap: true,
    rolldownOptions: { output: { minify: true } },
  },
})
