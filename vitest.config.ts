import { cloudflareTest } from '@cloudflare/vitest-plugin';
import { defineConfig } from 'vitest/config';
import { workerdOptions } from './test/tools/workerd-options.ts';

export default defineConfig({
  test: {
    coverage: {
      provider: 'v8',
      include: [
        'shared/**/*.ts',
        'worker/**/*.ts',
        'lambdas/**/*.ts',
        'local/**/*.ts',
        'cli/**/*.ts',
        'infra/**/*.ts',
        'client/**/*.ts',
      ],
      // Covered only where they run: in workerd, in a child process, or as the command line itself.
      exclude: [
        'worker/index.ts',
        'worker/services.ts',
        'worker/edge-models.ts',
        'worker/model-cards.ts',
        'worker/devices/{device-hub,device-models,open-hub}.ts',
        'worker/ort/**',
        'worker/targets/edge-onnx.ts',
        'worker/engine/build.ts',
        'worker/engine/compile-kernels.ts',
        'local/start.ts',
        'local/aws/lambda-bootstrap.ts',
        'local/lib/tether.ts',
        'cli/calibrate.ts',
        'cli/eval.ts',
        'cli/hybrid.ts',
        'cli/deploy/main.ts',
        'cli/simulate/simulate.ts',
        'infra/app.ts',
        'infra/cost-at-rest.ts',
        'worker/engine/assembly/**',
        '**/*.d.ts',
      ],
      reporter: ['text-summary', 'json-summary'],
      thresholds: {
        lines: 80,
        functions: 80,
        statements: 80,
        branches: 75,
        'shared/guard/**': { lines: 95, functions: 95, statements: 95, branches: 90 },
        'shared/decide/**': { lines: 95, functions: 95, statements: 95, branches: 90 },
      },
    },
    // What passing tests print is the gateway's own log.
    silent: 'passed-only',
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          // One instance of it: inlined or not, two forms of the package would be loaded side by side.
          server: { deps: { inline: ['graphql', 'graphql-http'] } },
          setupFiles: ['./test/tools/fix-seed.ts'],
          include: ['test/**/*.test.ts'],
          exclude: ['test/workerd/**', 'test/e2e/**'],
          testTimeout: 20_000,
        },
      },
      {
        extends: true,
        plugins: [cloudflareTest(workerdOptions)],
        assetsInclude: ['**/*.onnx'],
        test: { name: 'workerd', include: ['test/workerd/**/*.test.ts'] },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
