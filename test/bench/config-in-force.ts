/**
 * How long after a publish a request is first answered under the new version, on the local stack and its one isolate, asked all the
 * time. One JSON line. npm run bench:config -- [--publishes 5]
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { startStack } from '../../local/stack.ts';

const { values } = parseArgs({ options: { publishes: { type: 'string', default: '5' } } });
const ASK_EVERY_MS = 50;

const stack = await startStack({ port: 0 });
try {
  const seconds: number[] = [];
  await versionInForce();
  for (let at = 1; at <= Number(values.publishes); at += 1) {
    // At another moment of the isolate's own rhythm each time.
    await pause(at * 1_700);
    const version = String(await stack.publish({ ...stack.config, description: `published ${at}` }));
    const publishedAtMs = performance.now();
    while ((await versionInForce()) !== version) await pause(ASK_EVERY_MS);
    seconds.push((performance.now() - publishedAtMs) / 1_000);
  }
  const sorted = seconds.toSorted((left, right) => left - right).map((value) => Number(value.toFixed(1)));
  console.log(
    JSON.stringify({
      what: 'configuration in force after publish',
      value: sorted.at(-1),
      unit: 's, the longest',
      each: sorted,
      machine: `${cpus().length} shared cores`,
    }),
  );
} finally {
  await stack.close();
}

async function versionInForce(): Promise<string> {
  const response = await fetch(`${stack.url}/v1/infer`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model_name: 'intent',
      input_data: 'wake me up at seven',
      cache: 'bypass',
      placement: 'edge',
    }),
  });
  const answer = (await response.json()) as { decision: { config_version: string } };
  return answer.decision.config_version;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
