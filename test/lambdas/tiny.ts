/** What the model server's tests share: the tiny models, requests for them, and the parts put together around them. */
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import type { Logger } from '../../lambdas/lib/logger.ts';
import { createLogger } from '../../lambdas/lib/logger.ts';
import type { Registry } from '../../lambdas/infer/registry.ts';
import { openRegistry } from '../../lambdas/infer/registry.ts';
import type { Answer, Service } from '../../lambdas/infer/service.ts';
import { createService } from '../../lambdas/infer/service.ts';
import type { OpenSession, Session } from '../../lambdas/infer/session.ts';
import { sessionOpener } from '../../lambdas/infer/session.ts';
import type { UpstreamLine, UpstreamRequest } from '../../shared/schema/upstream.ts';
import { upstreamLineSchema } from '../../shared/schema/upstream.ts';

export const TINY_DIR = fileURLToPath(new URL('../fixtures/tiny', import.meta.url));

export type GoldenCase = { readonly text: string; readonly logits: readonly number[] };

export const GOLDEN: readonly GoldenCase[] = JSON.parse(readFileSync(`${TINY_DIR}/golden.json`, 'utf8'));

export const TEMPERATURE = 1.25;

export function textRequest(texts: readonly string[], changes: Partial<UpstreamRequest> = {}): UpstreamRequest {
  const input = { kind: 'text' as const, texts: [...texts] };
  return { request_id: 'r-1', model: 'greeting', variant: 'base', input, deadline_ms: 10_000, ...changes };
}

/** 4x4 images of horizontal (`rows`) or vertical (`columns`) stripes. */
export function imageRequest(kinds: readonly ('rows' | 'columns')[]): UpstreamRequest {
  const pixels = kinds.flatMap((kind) =>
    Array.from({ length: 16 }, (_, at) => (kind === 'rows' ? Math.floor(at / 4) : at % 4)).map(
      (line) => 1 - (line % 2),
    ),
  );
  const pixelsBase64 = Buffer.from(Float32Array.from(pixels).buffer).toString('base64');
  const shape = { height: 4, width: 4, channels: 1, count: kinds.length };
  return {
    request_id: 'r-2',
    model: 'stripes',
    variant: 'base',
    input: { kind: 'image', pixels_base64: pixelsBase64, ...shape },
    deadline_ms: 10_000,
  };
}

export function openTiny(variants?: readonly string[], openSession: OpenSession = sessionOpener(1)): Promise<Registry> {
  return openRegistry({ modelDir: TINY_DIR, variants, openSession });
}

/** A session that answers every input alike, after `before` has had its say. */
export function fakeSession(labels: number, before: () => Promise<void> | void = () => undefined): Session {
  return {
    async run() {
      await before();
      return Float32Array.from({ length: labels }, (_, at) => (at === 0 ? 3 : 0));
    },
  };
}

export type TestService = {
  readonly service: Service;
  readonly logged: () => readonly Record<string, unknown>[];
  readonly rawLog: () => string;
};

export function serviceOver(
  registry: Registry,
  changes: { nowMs?: () => number; groupSize?: number; maxInFlight?: number } = {},
): TestService {
  const lines: string[] = [];
  const logger: Logger = createLogger({ level: 'debug', write: (line) => lines.push(line), now: () => new Date(0) });
  const nowMs = changes.nowMs ?? (() => performance.now());
  const { groupSize = 16, maxInFlight = 64 } = changes;
  return {
    service: createService({ registry, logger, nowMs, groupSize, maxInFlight }),
    logged: () => lines.map((line): Record<string, unknown> => JSON.parse(line)),
    rawLog: () => lines.join(''),
  };
}

export async function bodyOf(answer: Answer): Promise<string> {
  let text = '';
  for await (const chunk of answer.body) text += chunk;
  return text;
}

export function parseLines(text: string): UpstreamLine[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => upstreamLineSchema.parse(JSON.parse(line)));
}
