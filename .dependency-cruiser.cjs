/**
 * The direction of dependencies: everything may know shared; worker, lambdas and infra never know one another;
 * in the worker, the pipeline knows ports, never targets or stores; only services.ts constructs adapters.
 */
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'shared-knows-nobody',
      severity: 'error',
      from: { path: '^shared/' },
      to: { path: '^(worker|lambdas|infra|local|cli|test|models)/' },
    },
    {
      name: 'shared-is-pure',
      severity: 'error',
      from: { path: '^shared/' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'shared-takes-only-zod',
      severity: 'error',
      from: { path: '^shared/' },
      to: { path: 'node_modules', pathNot: 'node_modules/zod/' },
    },
    {
      name: 'worker-knows-shared-only',
      severity: 'error',
      from: { path: '^worker/' },
      to: { path: '^(lambdas|infra|local|cli|test)/' },
    },
    {
      name: 'lambdas-know-shared-only',
      severity: 'error',
      from: { path: '^lambdas/' },
      to: { path: '^(worker|infra|local|cli|test)/' },
    },
    {
      name: 'infra-packages-lambdas',
      severity: 'error',
      from: { path: '^infra/' },
      to: { path: '^(worker|local|cli|test)/|^lambdas/(?!build|lib/package)' },
    },
    {
      name: 'pipeline-knows-ports',
      severity: 'error',
      from: { path: '^worker/(pipeline|http)/' },
      to: { path: '^worker/(aws|targets|store|engine|devices)/' },
    },
    {
      name: 'only-the-composition-root-constructs-adapters',
      severity: 'error',
      from: {
        path: '^worker/',
        pathNot: '^worker/(services|edge-models)\\.ts$|^worker/(aws|targets|store|engine|ort)/',
      },
      to: { path: '^worker/(aws|targets|store|engine|ort)/' },
    },
    {
      name: 'the-router-does-not-bundle-onnx-runtime',
      severity: 'error',
      from: { path: '^worker/', pathNot: '^worker/ort/' },
      to: { path: '^worker/ort/|node_modules/onnxruntime' },
    },
    {
      name: 'decide-knows-no-outside',
      severity: 'error',
      from: { path: '^shared/decide/' },
      to: { pathNot: '^shared/' },
    },
    { name: 'product-does-not-know-tests', severity: 'error', from: { pathNot: '^test/' }, to: { path: '^test/' } },
    {
      name: 'no-dev-dependency-at-run-time',
      severity: 'error',
      from: { path: '^(worker|shared)/' },
      to: { dependencyTypes: ['npm-dev'], pathNot: '@cloudflare/workers-types' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(node_modules|dist|coverage|cdk\\.out|worker/engine/assembly)/' },
    // TypeScript 7 has no compiler API for it to use.
    parser: 'swc',
    tsPreCompilationDeps: true,
    moduleSystems: ['es6'],
    enhancedResolveOptions: { extensions: ['.ts', '.js', '.json'] },
  },
};
