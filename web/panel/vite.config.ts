import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

// The box sends files as they are: what is worth packing is packed here.
function packed(): Plugin {
  const worth = /\.(js|css|html|wasm|json|svg)$/;
  return {
    name: 'packed',
    apply: 'build',
    closeBundle() {
      for (const entry of readdirSync('dist', { recursive: true, withFileTypes: true })) {
        if (!entry.isFile() || !worth.test(entry.name)) continue;
        const path = join(entry.parentPath, entry.name);
        const bytes = readFileSync(path);
        writeFileSync(`${path}.br`, brotliCompressSync(bytes));
        writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
      }
    },
  };
}

export default defineConfig({
  plugins: [svelte(), packed()],
  resolve: {
    alias: {
      $lib: here('./src/lib'),
      $locales: here('../locales'),
      $api: here('../protocol/generated/api.ts'),
      // What scripts/build-panel lays here: the cryptography as WebAssembly.
      $crypto: here('./.crypto/crypto_wasm.js'),
    },
  },
  worker: { format: 'es' },
  build: {
    // A script that is written into the page would need a weaker policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
  },
  test: { include: ['src/**/*.test.ts'] },
} as Parameters<typeof defineConfig>[0]);
