/**
 * What is sent to which worker in each measured scenario. Owns the sentences and the expectations on answers; leaves out
 * running and measuring.
 */
import { fileURLToPath } from 'node:url';
import { readLabelledText } from '../../local/data/read-labelled-text.ts';
import { STAMP, type LoadJob } from './load-protocol.ts';

export type WorkerName = 'gateway' | 'bare' | 'parse_fetch';

export type Scenario = {
  readonly name: string;
  readonly worker: WorkerName;
  /** Every body is sent once, unmeasured, before each run: what other scenarios sent may have driven it out of the cache. */
  readonly primed?: boolean;
} & Pick<LoadJob, 'bodies' | 'path' | 'unique' | 'expectHeaders'>;

const MODEL = 'intent';
const VALIDATION = fileURLToPath(new URL('../../models/intent/validation.csv.gz', import.meta.url));
const SENTENCES = 1_200;
const CACHED_SENTENCES = 64;
const PROBES_AT_ONCE = 8;

export type SortedSentences = { readonly edge: readonly string[]; readonly escalated: readonly string[] };

/**
 * Real sentences, by where this gateway answers them when it may choose: only so does each scenario do what it says. Those of
 * which the first variant is sure, or that leave the edge; what is just between falls here or there with a letter.
 */
export async function sortSentences(port: number): Promise<SortedSentences> {
  const rows = await readLabelledText(VALIDATION);
  const every = Math.max(1, Math.floor(rows.length / SENTENCES));
  const texts = rows.filter((_, index) => index % every === 0).map((row) => row.input);
  const edge: string[] = [];
  const escalated: string[] = [];
  const waiting = texts.values();
  const probe = async () => {
    for (const text of waiting) {
      const headers = await post(port, body(text));
      if (headers.get('x-target-used') !== 'edge') escalated.push(text);
      else if (headers.get('x-decision')?.includes('edge/micro:accepted') === true) edge.push(text);
    }
  };
  await Promise.all(Array.from({ length: PROBES_AT_ONCE }, probe));
  if (edge.length < CACHED_SENTENCES || escalated.length === 0) {
    throw new Error(
      `${edge.length} of ${texts.length} sentences are answered at once, ${escalated.length} leave the edge: too few to measure`,
    );
  }
  return { edge, escalated };
}

export async function prime({ bodies }: Scenario, port: number): Promise<void> {
  for (const text of bodies) await post(port, text);
}

/** @returns the answer's headers */
export async function post(port: number, text: string): Promise<Headers> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/infer`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: text,
  });
  const answer = await response.text();
  if (!response.ok) throw new Error(`the gateway answers ${response.status}: ${answer}`);
  return response.headers;
}

export function scenarios({ edge, escalated }: SortedSentences): readonly Scenario[] {
  const unseen = (texts: readonly string[], extra: object = {}) => texts.map((text) => body(text + STAMP, extra));
  const cached = edge.slice(0, CACHED_SENTENCES).map((text) => body(text));
  return [
    { name: 'bare_worker', worker: 'bare', bodies: cached, unique: false, expectHeaders: [] },
    { name: 'parse_fetch', worker: 'parse_fetch', bodies: cached, unique: false, expectHeaders: [] },
    // Caches on, every body new to them: look-up, decision, inference, keeping the answer, metrics, log line.
    {
      name: 'edge_text',
      worker: 'gateway',
      bodies: unseen(edge),
      unique: true,
      expectHeaders: ['x-target-used: edge', 'x-cache: miss'],
    },
    // The same sentences in other words: what a protocol adds is the difference.
    {
      name: 'open_inference',
      worker: 'gateway',
      path: `/v2/models/${MODEL}/infer`,
      bodies: edge.map((text) => openInferenceBody(text + STAMP)),
      unique: true,
      expectHeaders: ['x-target-used: edge', 'x-cache: miss'],
    },
    {
      name: 'graphql',
      worker: 'gateway',
      path: '/graphql',
      bodies: edge.map((text) => graphQlBody(text + STAMP)),
      unique: true,
      expectHeaders: ['x-target-used: edge', 'x-cache: miss'],
    },
    {
      name: 'cache_hit',
      worker: 'gateway',
      bodies: cached,
      unique: false,
      expectHeaders: ['x-cache: hit'],
      primed: true,
    },
    // The Lambda variant pinned: one attempt, which leaves the isolate.
    {
      name: 'escalated',
      worker: 'gateway',
      bodies: unseen(edge, { variant: 'base' }),
      unique: true,
      expectHeaders: ['x-target-used: lambda', 'x-cache: miss'],
    },
    // What a caller who pins nothing gets when the edge is not sure enough: the attempts there, and the one that leaves it.
    {
      name: 'cascade',
      worker: 'gateway',
      bodies: unseen(escalated, { min_accuracy: 0.999 }),
      unique: true,
      expectHeaders: ['x-target-used: sagemaker', 'x-cache: miss'],
    },
  ];
}

function body(text: string, extra: object = {}): string {
  return JSON.stringify({ model_name: MODEL, input_data: text, ...extra });
}

function openInferenceBody(text: string): string {
  return JSON.stringify({ inputs: [{ name: 'text', datatype: 'BYTES', shape: [1], data: [text] }] });
}

function graphQlBody(text: string): string {
  const query = `query ($input: JSON!) { infer(model: "${MODEL}", input: $input) { predictions { label confidence } targetUsed { id } costUsd } }`;
  return JSON.stringify({ query, variables: { input: text } });
}
