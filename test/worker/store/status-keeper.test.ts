import { describe, expect, it } from 'vitest';
import type { Item } from '../../../shared/config/config-items.ts';
import { statusItem, type ProbedStatus } from '../../../shared/control/resource-status.ts';
import type { ResourceStatus } from '../../../shared/decide/facts.ts';
import type { DynamoClient } from '../../../worker/store/dynamodb-client.ts';
import { createStatusKeeper } from '../../../worker/store/status-keeper.ts';
import { createFakeClock } from '../../fakes/fake-clock.ts';
import { testConfig } from '../test-config.ts';

const STATUS: ProbedStatus = {
  asOfMs: 5,
  health: 'down',
  loadRatio: 0.5,
  priceRatio: null,
  latencyMs: null,
  detail: 'the endpoint is Failed',
};

function open() {
  const clock = createFakeClock();
  const config = testConfig();
  const asked: string[] = [];
  let items: Item[] | Error = [];
  let seen: ReadonlyMap<string, ResourceStatus> | undefined;
  let failures = 0;
  const client: Pick<DynamoClient, 'query'> = {
    async query({ value }) {
      asked.push(value);
      if (items instanceof Error) throw items;
      return items;
    },
  };
  const keeper = createStatusKeeper({
    client: client as DynamoClient,
    clock,
    reported: (statuses) => {
      seen = statuses;
    },
    onFailure: () => {
      failures += 1;
    },
  });
  return {
    clock,
    config,
    keeper,
    asked,
    holds: (next: Item[] | Error) => {
      items = next;
    },
    seen: () => seen,
    failures: () => failures,
  };
}

describe('the status keeper', () => {
  it('hands on what the probe put, and leaves out what is no status', async () => {
    const { keeper, config, holds, seen, asked } = open();
    const [, lambda] = config.targets;
    if (lambda === undefined) throw new Error('no target');
    holds([statusItem(lambda, STATUS), { target: { S: 'x' }, health: { S: 'fine' }, as_of: { N: '1' } }, {}]);
    await keeper.refresh(config);
    expect(asked).toEqual(['RES#us-east-1']);
    expect(seen()).toEqual(new Map([['lambda', STATUS]]));
  });

  it('looks every half minute and no oftener', async () => {
    const { keeper, config, clock, asked } = open();
    for (const ms of [0, 10_000, 10_000, 10_000, 10_000]) {
      clock.advance(ms);
      await keeper.refresh(config);
    }
    expect(asked).toHaveLength(2);
  });

  it('does not look where everything lies at the edge', async () => {
    const { keeper, config, asked } = open();
    await keeper.refresh({ ...config, targets: config.targets.slice(0, 1) });
    expect(asked).toEqual([]);
  });

  it('keeps what it knows while the table is away, and says so', async () => {
    const { keeper, config, holds, seen, failures } = open();
    holds(new Error('away'));
    await keeper.refresh(config);
    expect([seen(), failures()]).toEqual([undefined, 1]);
  });
});
