/** GraphQL over the whole app: the server audit of the reference implementation, every query, and bombs. */
import { serverAudits } from 'graphql-http';
import { beforeEach, describe, expect, it } from 'vitest';
import { createHarness, failing, type Harness } from '../harness.ts';

const context = { waitUntil: () => undefined, passThroughOnException: () => undefined, props: {} };

let harness: Harness;
beforeEach(() => {
  harness = createHarness();
});

type Reply = {
  status: number;
  headers: Headers;
  data: Record<string, unknown> | null | undefined;
  errors: { message: string; path?: unknown[]; extensions?: Record<string, unknown> }[] | undefined;
};

async function ask(query: string, variables: object = {}, on: Harness = harness): Promise<Reply> {
  const response = await on.app.request(
    '/graphql',
    {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json' },
      body: JSON.stringify({ query, variables }),
    },
    undefined,
    context,
  );
  const { data, errors } = (await response.json()) as Pick<Reply, 'data' | 'errors'>;
  return { status: response.status, headers: response.headers, data, errors };
}

const audits = serverAudits({
  url: 'http://gateway.test/graphql',
  fetchFn: (url: string, init: RequestInit) => createHarness().app.request(url, init, undefined, context),
});

describe('GraphQL over HTTP', () => {
  it.each(audits.map((audit) => [audit.name, audit] as const))('%s', async (_name, audit) => {
    const result = await audit.fn();
    expect(result.status === 'ok' ? 'ok' : `${result.status}: ${result.reason}`).toBe('ok');
  });
});

describe('a query', () => {
  it('asks a model, with requirements, and says place and cost', async () => {
    const { status, data, headers } = await ask(
      `query ($text: JSON!) {
        infer(model: "mood", input: $text, requirements: { variant: "base", priority: high }) {
          requestId variant predictions { label confidence top { label } target accepted embedding }
          targetUsed { kind id } costUsd cache decision { policy reason fallbackChain { target outcome } cloudOnlyCostUsd }
        }
      }`,
      { text: 'hello' },
    );
    expect(status).toBe(200);
    expect(data).toMatchObject({
      infer: {
        variant: 'base',
        predictions: [{ label: 'yes', target: 'lambda', accepted: true, embedding: null }],
        targetUsed: { kind: 'lambda', id: 'lambda' },
        decision: { fallbackChain: [{ target: 'lambda', outcome: 'accepted' }] },
      },
    });
    expect(headers.get('x-target-used')).toBe('lambda');
    expect(harness.records[0]).toMatchObject({ protocol: 'graphql', priority: 'high' });
  });

  it('reads models, routes, targets, metrics and guarantees', async () => {
    const { data, errors } = await ask(`{
      models { name variants { name accuracy servedBy { id kind breaker inFlight } } route { name policy } }
      model(name: "mood") { outOfScopeLabel labels input }
      none: model(name: "none") { name }
      routes { name model { name } }
      route(name: "dots") { defaultDeadlineMs guarantee }
      targets { id kind region enabled unreachable price serves { model variant } }
      metrics(minutes: 1)
      guarantee(route: "mood")
    }`);
    expect(errors).toBeUndefined();
    expect(data).toMatchObject({
      models: [
        {
          name: 'mood',
          variants: [{ name: 'micro', servedBy: [{ id: 'edge', kind: 'edge', breaker: 'closed' }] }, {}, {}],
        },
        {},
      ],
      model: { outOfScopeLabel: 'oos', labels: ['yes', 'no', 'oos'] },
      none: null,
      routes: [{ name: 'mood', model: { name: 'mood' } }, {}],
      route: { guarantee: { route: 'dots' } },
      metrics: { minutes: 1 },
      guarantee: { route: 'mood' },
    });
  });

  it('gives each of several inferences a request id of its own', async () => {
    const { data } = await ask(
      '{ a: infer(model: "mood", input: "x") { requestId } b: infer(model: "mood", input: "y") { requestId } }',
    );
    const ids = Object.values(data ?? {}).map((one) => (one as { requestId: string }).requestId);
    expect(new Set(ids).size).toBe(2);
  });

  it('gives failures their code and keeps what else was asked', async () => {
    for (const id of ['edge', 'lambda', 'sagemaker']) harness.scripts[id] = failing('upstream_error');
    const { data, errors } = await ask('{ targets { id } model(name: "mood") { name } bad: guarantee(route: "none") }');
    expect(data).toBeNull();
    expect(errors?.[0]).toMatchObject({ path: ['bad'], extensions: { code: 'not_found', retryable: false } });
    const failed = await ask('{ infer(model: "mood", input: "x") { variant } }');
    expect(failed.errors?.[0]?.extensions).toMatchObject({ code: 'chain_exhausted', retryable: true });
    const wrong = await ask('{ infer(model: "mood", input: 3) { variant } }');
    expect(wrong.errors?.[0]?.extensions).toMatchObject({ code: 'invalid_input', field: 'input_data' });
  });

  it('says nothing of what it does not know', async () => {
    harness.scripts['edge'] = () => {
      throw new Error('a secret inside');
    };
    const { errors } = await ask('{ infer(model: "mood", input: "x", requirements: { placement: edge }) { variant } }');
    expect(errors?.[0]?.extensions?.['code']).toBe('internal');
    expect(JSON.stringify(errors)).not.toContain('secret');
  });

  it('is refused to strangers', async () => {
    const config = {
      ...harness.config,
      api_keys: [{ id: 'k', sha256: 'a'.repeat(64), tenant: 't', scopes: ['infer' as const], enabled: true }],
    };
    const { errors } = await ask('{ models { name } }', {}, createHarness({ config }));
    expect(errors?.[0]?.extensions?.['code']).toBe('unauthorized');
  });
});

describe('a bomb', () => {
  const deep = `{ models { route { model { route { model { route { model { route { name } } } } } } } } }`;
  const wide = `{ ${Array.from({ length: 160 }, (_, index) => `a${index}: model(name: "x") { name }`).join(' ')} }`;
  const many = `{ ${Array.from({ length: 9 }, (_, index) => `a${index}: infer(model: "mood", input: "x") { variant }`).join(' ')} }`;
  const nested = Array.from(
    { length: 40 },
    (_, index) => `fragment f${index} on Query { ...f${index + 1} ...f${index + 1} }`,
  ).join(' ');
  const fragments = `{ ...f0 } ${nested} fragment f40 on Query { models { name } }`;

  it.each([
    ['too deep', deep, 'levels deep'],
    ['too wide', wide, 'fields'],
    ['of inferences', many, 'inferences'],
    ['of metrics', `{ ${'abc'.replace(/./g, '$&: metrics(minutes: 1440) ')} }`, 'metrics'],
    ['of fragments within fragments', fragments, 'fields'],
    ['of tokens', `{ models { ${'name '.repeat(3_000)} } }`, 'tokens'],
    ['of circles', '{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }', 'Cannot spread fragment'],
  ])('%s is refused before anything runs', async (_what, query, said) => {
    const { status, errors } = await ask(query);
    expect(status).toBe(400);
    expect(errors?.map(({ message }) => message).join(' ')).toContain(said);
    expect(harness.calls).toEqual([]);
  });

  it('larger than any query is refused unread', async () => {
    const { status } = await ask(`{ models { name } } # ${'x'.repeat(1_100_000)}`);
    expect(status).toBe(413);
  });
});

describe('introspection', () => {
  it('is there, and can be switched off', async () => {
    expect((await ask('{ __schema { queryType { name } } }')).data).toEqual({
      __schema: { queryType: { name: 'Query' } },
    });
    const closed = createHarness({ graphqlIntrospection: false });
    const { errors } = await ask('{ __schema { queryType { name } } }', {}, closed);
    expect(errors?.[0]?.message).toContain('introspection');
  });
});
