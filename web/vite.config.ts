import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import react from '@vitejs/plugin-react'
import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'

const SWAGGER_UI_FILES = [
  'swagger-ui-bundle.js',
  'swagger-ui-bundle.js.LICENSE.txt',
  'swagger-ui.css',
  'LICENSE',
  'NOTICE',
]

function swaggerUi(): Plugin {
  const require = createRequire(import.meta.url)
  return {
    name: 'swagger-ui',
    apply: 'build',
    generateBundle() {
      for (const file of SWAGGER_UI_FILES) {
        const source = readFileSync(require.resolve(`swagger-ui-dist/${file}`))
        this.emitFile({ type: 'asset', fileName: `docs/${file}`, source })
      }
    },
  }
}

const backend = 'http://127.0.0.1:8000'

export default defineConfig({
  base: '/',
  plugins: [react(), swaggerUi()],
  server: {
    host: '127.0.0.1',
    proxy: { '/api': backend, '/health': backend },
  },
  build: {
    outDir: '../src/llm_banking/api/static',
    emptyOutDir: true,
    assetsDir: 'assets',
    modulePreload: { polyfill: false },
    license: { fileName: 'licenses.md' },
  },
  test: {
    environment: 'jsdom',
    setupFiles: ['src/test/setup.ts'],
    restoreMocks: true,
    unstubGlobals: true,
  },
})
