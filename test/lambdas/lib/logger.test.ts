import { describe, expect, it } from 'vitest';
import type { RequestLine } from '../../../lambdas/lib/logger.ts';
import { createLogger, describeFailure } from '../../../lambdas/lib/logger.ts';

const LINE: RequestLine = {
  request_id: 'r-1',
  trace_id: '0af7651916cd43dd8448eb211c80319c',
  model: 'intent',
  variant: 'base',
  items: 2,
  answered: 2,
  latency_ms: 3.5,
  compute_ms: 3.2,
  outcome: 'ok',
  error_code: null,
};

function capture(level: 'info' | 'warn'): { lines: string[]; logger: ReturnType<typeof createLogger> } {
  const lines: string[] = [];
  return { lines, logger: createLogger({ level, write: (line) => lines.push(line), now: () => new Date(0) }) };
}

describe('the logger', () => {
  it('writes one JSON line a request', () => {
    const { lines, logger } = capture('info');
    logger.request(LINE);
    expect(lines).toEqual([
      `${JSON.stringify({ timestamp: '1970-01-01T00:00:00.000Z', level: 'info', message: 'request', ...LINE })}\n`,
    ]);
  });

  it('embeds metrics by model and variant where asked, and none of a request that computed nothing', () => {
    const lines: string[] = [];
    const logger = createLogger({
      level: 'info',
      write: (line) => lines.push(line),
      now: () => new Date(5),
      embedMetrics: true,
    });
    logger.request(LINE);
    logger.request({ ...LINE, answered: 0, outcome: 'error', error_code: 'invalid_input' });
    const [embedded, plain] = lines.map((line): unknown => JSON.parse(line));
    expect(embedded).toMatchObject({
      ...LINE,
      Model: 'intent',
      Variant: 'base',
      ModelComputeTime: 3.2,
      ModelItems: 2,
      _aws: {
        Timestamp: 5,
        CloudWatchMetrics: [
          {
            Namespace: 'HybridInference',
            Dimensions: [['Model', 'Variant']],
            Metrics: [
              { Name: 'ModelComputeTime', Unit: 'Milliseconds' },
              { Name: 'ModelItems', Unit: 'Count' },
            ],
          },
        ],
      },
    });
    expect(plain).not.toHaveProperty('_aws');
  });

  it('leaves out what is below its level, and never a failure of ours', () => {
    const { lines, logger } = capture('warn');
    logger.request(LINE);
    logger.process('info', 'listening');
    logger.request({ ...LINE, outcome: 'error', error_code: 'invalid_json' });
    logger.request({ ...LINE, outcome: 'error', error_code: 'internal' });
    const levels = lines.map((line): unknown => JSON.parse(line));
    expect(levels).toEqual([expect.objectContaining({ level: 'warn' }), expect.objectContaining({ level: 'error' })]);
  });

  it('describes a failure by kind and place, not by message', () => {
    const description = describeFailure(new TypeError('a secret text'));
    expect(description).toMatch(/^TypeError at .*logger\.test\.ts/);
    expect(description).not.toContain('secret');
    expect(describeFailure('a secret text')).toBe('string');
  });
});
