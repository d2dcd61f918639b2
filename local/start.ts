/**
 * `npm start`: the whole product on this machine, offline. Shows a handful of answers, then keeps serving until Ctrl-C.
 * `--once` stops after the demonstration; exit status 1 where anything in it failed.
 */
import { createServer } from 'node:net';
import { parseArgs } from 'node:util';
import { runDemo } from './demo.ts';
import type { LocalDevice } from './devices/device-pool.ts';
import type { Devices } from './devices/start-devices.ts';
import { LOCAL_ENVIRONMENT, LOCAL_REGION, LOCAL_TABLE, startStack, type Stack } from './stack.ts';

const DEFAULT_PORT = 8787;
const DEVICE_COUNT = 2;

const USAGE = `Usage: npm start [-- --once] [-- --logs]

  --once  stop after the demonstration; exit status 1 where anything in it failed
  --logs  show the log of the worker and the servers from the start

PORT is the gateway's port (${DEFAULT_PORT}), API_KEY a key to ask of every caller; both may stand in .env.`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      once: { type: 'boolean', default: false },
      logs: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  loadDotEnv();
  const port = portFrom(process.env['PORT']);
  await refuseTakenPort(port);
  const apiKey = process.env['API_KEY'] === '' ? undefined : process.env['API_KEY'];

  let showLogs = values.logs;
  const onLine = (line: string) => {
    if (showLogs) console.log(line);
  };
  console.log('Starting DynamoDB, Lambda and SageMaker stand-ins and the edge worker ...');
  const startedAtMs = Date.now() - performance.now();
  const stack = await startStack({
    port,
    apiKey,
    gpu: true,
    devices: DEVICE_COUNT,
    onWorkerLine: onLine,
    onServerLine: onLine,
  });
  const stopped = stopOnSignal(stack);
  const demo = await runDemo(stack.url, apiKey);
  console.log(`\n${demo.text}\n`);
  console.log(`First answer ${((demo.firstAnswerAtMs - startedAtMs) / 1_000).toFixed(1)} s after the start.`);
  for (const failure of demo.failures) console.error(`FAILED  ${failure}`);
  if (values.once) {
    await stack.close();
    return demo.failures.length === 0 ? 0 : 1;
  }
  console.log(howToCall(stack, apiKey));
  console.log(howToOperate(stack));
  showLogs = true;
  await stopped;
  return 0;
}

function portFrom(text: string | undefined): number {
  if (text === undefined || text === '') return DEFAULT_PORT;
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new Error(`PORT must be a whole number from 0 to 65535, not "${text}"`);
}

function refuseTakenPort(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => {
      const why =
        error.code === 'EADDRINUSE' ? 'is taken by another program' : `cannot be used (${error.code ?? error.message})`;
      reject(new Error(`Port ${port} ${why}. Choose another: PORT=8788 npm start`));
    });
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve()));
  });
}

function loadDotEnv(): void {
  try {
    process.loadEnvFile('.env');
  } catch (error) {
    const isAbsent = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (!isAbsent) throw error;
  }
}

/** Resolves when Ctrl-C, or whoever runs this, asked to stop and all of it has stopped. */
function stopOnSignal(stack: Stack): Promise<void> {
  return new Promise((resolve) => {
    let isStopping = false;
    const stop = () => {
      // npm passes on a signal that the terminal has sent here already.
      if (isStopping) return;
      isStopping = true;
      console.log('\nStopping ...');
      void stack.close().then(resolve);
    };
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      // Miniflare's own listener ends the process at once, before the rest has stopped. Its hook on exit stays.
      process.removeAllListeners(signal);
      process.on(signal, stop);
    }
  });
}

function howToCall({ url }: Stack, apiKey: string | undefined): string {
  const key = apiKey === undefined ? '' : ` \\\n    -H "authorization: Bearer $API_KEY"`;
  return [
    `Serving at ${url}${apiKey === undefined ? ' (open: no API key is configured)' : ' (API key asked for)'}. Ctrl-C stops all of it. Try:`,
    '',
    `  curl -s ${url}/v1/infer -H 'content-type: application/json'${key} \\`,
    `    -d '{"model_name": "intent", "input_data": "wake me up at seven", "explain": true}'`,
    `  curl -s ${url}/v1/models`,
    `  curl -s ${url}/v1/devices${apiKey === undefined ? '' : ` -H "authorization: Bearer $API_KEY"`}`,
    `  curl -s ${url}/readyz`,
    `  curl -s ${url}/v1/metrics`,
  ].join('\n');
}

/** The key pair is made anew at each start and opens nothing but this stack. */
function howToOperate({ url, dynamodb, credentials, devices, spareDevice }: Stack): string {
  const variables = {
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_REGION: LOCAL_REGION,
    DATABASE_URL: dynamodb.url,
    TABLE_NAME: LOCAL_TABLE,
    ENVIRONMENT: LOCAL_ENVIRONMENT,
    GATEWAY_URL: url,
  };
  return [
    '',
    'To operate it from another terminal, as you would a deployment:',
    '',
    `  export ${Object.entries(variables)
      .map(([name, value]) => `${name}='${value}'`)
      .join(' ')}`,
    '  npx hybrid status; npx hybrid config history; npx hybrid metrics',
    '',
    ...howToRunADevice(url, devices, spareDevice),
    'One line of JSON per request follows.',
  ].join('\n');
}

function howToRunADevice(url: string, devices: Devices | undefined, spare: LocalDevice | undefined): string[] {
  if (devices === undefined || spare === undefined) return [];
  const { hostname, port } = new URL(url);
  return [
    `${DEVICE_COUNT} ${devices.note} are connected. One more, of your own:`,
    '',
    `  make -C devices/mcu && echo '${spare.id} ${spare.key}' | devices/mcu/build/hybrid-device ${hostname} ${port} \\`,
    '    /dev/stdin --model models/digits/device.hymc',
    '',
  ];
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
