import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import tailwindcss from '@tailwindcss/vite'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'
import type { Plugin } from 'vite'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** The theme is set before the first paint by a small blocking script; CSP allows none inline. */
function themeScript(): Plugin {
  const source = readFileSync(here('./src/style/theme.js'), 'utf8')
  const name = `theme-${createHash('sha256').update(source).digest('hex').slice(0, 8)}.js`
  return {
    name: 'theme-script',
    generateBundle() {
      this.emitFile({ type: 'asset', fileName: `assets/${name}`, source })
    },
    configureServer(server) {
      server.middlewares.use(`/assets/${name}`, (_request, answer) => {
        answer.setHeader('Content-Type', 'text/javascript')
        answer.end(source)
      })
    },
    transformIndexHtml: () => [
      { tag: 'script', attrs: { src: `/assets/${name}` }, injectTo: 'head-prepend' },
    ],
  }
}

/** An entry runs when it is loaded, so it stays a file of its own. */
const notAnEntry = (id: string) => !/\.html|\/src\/(main\.ts|console\/)/.test(id)

const api = process.env['KESSAI_API'] ?? 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [vue({ features: { optionsAPI: false } }), tailwindcss(), themeScript()],
  resolve: { alias: { '@': here('./src') } },
  define: {
    __VUE_OPTIONS_API__: false,
    __VUE_PROD_DEVTOOLS__: false,
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: false,
  },
  server: { proxy: { '/api': api, '/images': api, '/ws': { target: api, ws: true } } },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    manifest: true,
    rolldownOptions: {
      input: { shop: here('./index.html'), console: here('./console.html') },
      // A phone asks for six files at a time, 150 ms each: what every page needs is one file.
      output: { codeSplitting: { groups: [{ name: 'base', tags: ['$initial'], test: notAnEntry }] } },
    },
  },
  test: { environment: 'happy-dom', include: ['tests/**/*.test.ts'] },
})
