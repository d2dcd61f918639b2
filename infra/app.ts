/**
 * The CDK app, as cdk.json starts it: settings from the context, the package from the sources, one deployment.
 */
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { buildSmallFunctions } from '../lambdas/build-functions.ts';
import { buildLambdaPackage } from '../lambdas/build.ts';
import { addDeployment } from './deployment.ts';
import { modelServerPackage } from './model-server-package.ts';
import { parseSettings, SETTINGS_CONTEXT_KEY, SettingsError } from './settings.ts';

async function synthesise(): Promise<void> {
  const app = new App();
  const settings = parseSettings(app.node.tryGetContext(SETTINGS_CONTEXT_KEY));
  const root = join(import.meta.dirname, '..');
  const request = { arch: 'arm64', variants: settings.function.variants } as const;
  addDeployment(app, settings, {
    modelServer: await modelServerPackage(root, request, buildLambdaPackage),
    functions: await buildSmallFunctions(join(root, 'dist', 'functions')),
  });
  app.synth();
}

await synthesise().catch((error: unknown) => {
  if (!(error instanceof SettingsError)) throw error;
  // The operator's to correct: the message is enough, a stack trace would bury it.
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});
