/**
 * Requests to many devices while connections are cut. Each request has an input of its own, whose answer is known from the
 * same model in TypeScript, so that a lost, late or swapped answer shows. Owns the load and what is counted.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DeviceEvent } from '../../local/devices/device-event.ts';
import { DEVICE_MODEL_FILE } from '../../local/devices/start-devices.ts';
import { readImage, type ModelImage } from '../../shared/device/model-image.ts';
import { runImage } from '../../shared/device/run-image.ts';
import type { CuttingProxy } from '../fakes/cutting-proxy.ts';
import { randomFrom } from '../../cli/models/examples.ts';

export type StormOptions = {
  readonly url: string;
  readonly proxy: CuttingProxy;
  /** Everything the devices say, as they say it. */
  readonly events: { add(listener: (event: DeviceEvent) => void): void };
  readonly requestsPerS: number;
  readonly seconds: number;
  /** Devices cut off once each, at random moments. */
  readonly cuts: readonly string[];
  readonly deadlineMs: number;
  readonly seed: number;
};

export type StormReport = {
  readonly sent: number;
  readonly answered: number;
  /** By error code. */
  readonly failed: Readonly<Record<string, number>>;
  /** An answer that is not its input's. */
  readonly swapped: number;
  /** Answered or failed after the deadline and a little for the way. */
  readonly late: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly slowestMs: number;
  readonly slowestReconnectMs: number;
  readonly notReconnected: readonly string[];
};

const SIDE = 28;
/** From the gateway's deadline to the caller's clock, both sharing a busy machine. */
const WAY_MS = 1_000;
const RECONNECT_WAIT_MS = 10_000;

export async function runStorm(options: StormOptions): Promise<StormReport> {
  const image = readImage(new Uint8Array(readFileSync(DEVICE_MODEL_FILE)));
  const random = randomFrom(options.seed);
  const cutAtMs = new Map<string, number>();
  const reconnects: number[] = [];
  options.events.add(({ device, event }) => {
    const startedAtMs = cutAtMs.get(device);
    if (startedAtMs === undefined || (event !== 'welcome' && event !== 'resumed')) return;
    reconnects.push(performance.now() - startedAtMs);
    cutAtMs.delete(device);
  });

  const count = Math.round(options.requestsPerS * options.seconds);
  const latencies: number[] = [];
  const failed: Record<string, number> = {};
  const answers: Given[] = [];
  let late = 0;
  const request = async (): Promise<void> => {
    const grey = strokes(random);
    const startedAtMs = performance.now();
    const response = await fetch(`${options.url}/v1/infer`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        model_name: 'digits',
        input_data: Buffer.from(grey).toString('base64'),
        variant: 'micro',
        latency_requirement: options.deadlineMs,
        cache: 'bypass',
      }),
    });
    const body = (await response.json()) as Reply;
    const tookMs = performance.now() - startedAtMs;
    latencies.push(tookMs);
    if (tookMs > options.deadlineMs + WAY_MS) late += 1;
    const [prediction] = body.predictions ?? [];
    if (prediction === undefined) {
      const code = body.error?.code ?? String(response.status);
      failed[code] = (failed[code] ?? 0) + 1;
      return;
    }
    answers.push({ grey, prediction });
  };

  const startAtMs = performance.now();
  const cutting = options.cuts.map(async (device) => {
    await sleep(random() * options.seconds * 1_000);
    cutAtMs.set(device, performance.now());
    options.proxy.cut(device);
  });
  const pending: Promise<void>[] = [];
  for (let index = 0; index < count; index += 1) {
    const waitMs = startAtMs + (index * 1_000) / options.requestsPerS - performance.now();
    if (waitMs > 0) await sleep(waitMs);
    pending.push(request());
  }
  await Promise.all([...pending, ...cutting]);
  for (let waitedMs = 0; cutAtMs.size > 0 && waitedMs < RECONNECT_WAIT_MS; waitedMs += 20) await sleep(20);
  latencies.sort((left, right) => left - right);
  return {
    sent: count,
    answered: answers.length,
    failed,
    // Only now: what is expected costs more than what is measured.
    swapped: answers.filter((given) => !isOwnAnswer(given, image)).length,
    late,
    p50Ms: latencies[Math.floor(latencies.length / 2)] ?? 0,
    p99Ms: latencies[Math.floor(latencies.length * 0.99)] ?? 0,
    slowestMs: latencies.at(-1) ?? 0,
    slowestReconnectMs: Math.max(0, ...reconnects),
    notReconnected: [...cutAtMs.keys()],
  };
}

type Given = { readonly grey: Uint8Array; readonly prediction: Predicted };
type Predicted = { readonly label: string; readonly confidence: number; readonly target: string };

function isOwnAnswer({ grey, prediction }: Given, image: ModelImage): boolean {
  const { probabilities } = runImage(
    image,
    Int8Array.from(grey, (byte) => byte - 128),
  );
  const expected = Math.max(...probabilities);
  const isSame = prediction.label === String(probabilities.indexOf(expected));
  // A sixteen-bit share of one, twice rounded.
  return isSame && Math.abs(prediction.confidence - expected) <= 1e-4 && prediction.target === 'mcu';
}

type Reply = {
  readonly predictions?: readonly Predicted[];
  readonly error?: { readonly code: string };
};

/** A few strokes on black with some noise: no two alike, and confidences all over the scale. */
function strokes(random: () => number): Uint8Array {
  const grey = Uint8Array.from({ length: SIDE * SIDE }, () => (random() < 0.05 ? Math.floor(random() * 120) : 0));
  for (let stroke = 0; stroke < 3; stroke += 1) {
    const [x, y, dx, dy] = [4 + 20 * random(), 4 + 20 * random(), random() - 0.5, random() - 0.5];
    for (let step = 0; step < 24; step += 1) {
      const [column, row] = [Math.round(x + dx * step), Math.round(y + dy * step)];
      if (column >= 0 && column < SIDE && row >= 0 && row < SIDE)
        grey[row * SIDE + column] = 200 + Math.floor(55 * random());
    }
  }
  return grey;
}
