import { defineConfig } from 'vite';

// The daemon embeds dist/ and sends it under a strict Content-Security-Policy, so nothing is inlined:
// every script, style sheet and image is a file of its own.
export default defineConfig({
  base: '/',
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
  },
  server: {
    host: '127.0.0.1',
    proxy: { '/api': process.env['CRUCIBLE_URL'] ?? 'http://127.0.0.1:8090' },
  },
});
