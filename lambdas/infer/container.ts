/**
 * The process behind a SageMaker endpoint: `node container.ts serve`. Owns start, readiness and the way out.
 * Listens before the models are loaded, so that /ping can say 503 instead of refusing the connection.
 */
import { asGatewayError } from '../../shared/errors.ts';
import type { Env } from '../lib/env.ts';
import { parseEnv } from '../lib/env.ts';
import type { Logger } from '../lib/logger.ts';
import { describeFailure } from '../lib/logger.ts';
import { compose, composeLogger, nowMs } from './compose.ts';
import { createOpenInference } from './open-inference.ts';
import { warmUp } from './predict.ts';
import type { Registry } from './registry.ts';
import type { ModelServer } from './server.ts';
import { createModelServer } from './server.ts';

/** SageMaker kills 30 s after SIGTERM. */
const DRAIN_LIMIT_MS = 25_000;

async function serve(env: Env, logger: Logger): Promise<void> {
  let isReady = false;
  const { registry, service, turns } = await compose(env, logger);
  const openInference = createOpenInference({ registry, turns, isReady: () => isReady, logger, nowMs });
  const server = createModelServer({ service, openInference, isReady: () => isReady, nowMs });
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => void leave(server, logger, name));
  await listen(server, env.port);
  const address = server.http.address();
  logger.process('info', 'listening', { port: typeof address === 'object' ? (address?.port ?? env.port) : env.port });
  await loadAll(registry, logger);
  isReady = true;
  logger.process('info', 'ready', { models: registry.served.length, since_start_ms: Math.round(nowMs()) });
}

function listen(server: ModelServer, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.http.once('error', reject);
    server.http.listen(port, () => {
      server.http.off('error', reject);
      resolve();
    });
  });
}

async function loadAll(registry: Registry, logger: Logger): Promise<void> {
  for (const served of registry.served) {
    const startedMs = nowMs();
    await warmUp(await registry.load(served));
    logger.process('info', 'model_loaded', {
      model: served.card.name,
      variant: served.variant,
      version: served.card.version,
      load_ms: Math.round(nowMs() - startedMs),
    });
  }
}

async function leave(server: ModelServer, logger: Logger, signalName: string): Promise<void> {
  logger.process('info', 'draining', { signal: signalName });
  const isDrained = await server.drain(DRAIN_LIMIT_MS);
  logger.process(isDrained ? 'info' : 'warn', 'stopped', { drained: isDrained });
  process.exit(0);
}

async function main(): Promise<void> {
  if (process.argv[2] !== 'serve') {
    process.stderr.write('Usage: container serve\n');
    process.exit(2);
  }
  const logger = composeLogger('info');
  try {
    const env = parseEnv(process.env);
    await serve(env, composeLogger(env.logLevel));
  } catch (error) {
    // Before any request, so the message holds no input: it names a file, a port or a variable.
    const { detail, message } = asGatewayError(error);
    logger.process('error', 'cannot_start', { detail: detail ?? message, place: describeFailure(error) });
    process.exit(1);
  }
}

await main();
