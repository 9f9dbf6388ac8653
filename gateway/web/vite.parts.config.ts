/** Builds what not everybody needs beside the core, each a file of its own: `tabs.js` and `words.js`. */

import { defineConfig } from 'vite'

// What both and the core have in common is pure, and small: each file has its own copy, and stands alone.
export default defineConfig({
  publicDir: false,
  build: {
    lib: { entry: { tabs: 'src/tabs/index.ts', words: 'src/display/index.ts' }, formats: ['es'] },
    target: 'es2022',
    // dist/ holds the other builds, too.
    emptyOutDir: false,
    sourcemap: true,
    rolldownOptions: { output: { minify: true, entryFileNames: '[name].js' } },
  },
})
