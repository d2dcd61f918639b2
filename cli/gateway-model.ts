/**
 * What the gateway says of a model, and whether it can be talked to at all. Asked once, before any row is sent, so that
 * a wrong URL, key or model name is one clear message.
 */
import * as z from 'zod';
import { UserError } from './user-error.ts';

const modelSchema = z.object({
  name: z.string(),
  version: z.string(),
  input: z.object({ kind: z.enum(['text', 'image']) }),
  labels: z.array(z.string()),
  out_of_scope_label: z.string().nullable(),
  reference_variant: z.string(),
  variants: z.array(z.object({ name: z.string() })),
});

/** Whatever it takes: to tell a model that cannot be evaluated from somebody else's answer. */
const anyModelSchema = z.object({
  name: z.string(),
  input: z.object({ kind: z.string() }),
  labels: z.array(z.string()),
});

const listSchema = z.object({ models: z.array(z.object({ name: z.string() })) });

export type GatewayModel = z.infer<typeof modelSchema>;

const TIMEOUT_MS = 10_000;

export async function describeModel(url: string, name: string, apiKey: string | undefined): Promise<GatewayModel> {
  const { status, value } = await get(`${url}/v1/models/${encodeURIComponent(name)}`, apiKey);
  if (status === 401 || status === 403) {
    throw new UserError(
      `${url} refuses ${apiKey === undefined ? 'callers without a key' : 'this key'} (HTTP ${status}): set API_KEY.`,
    );
  }
  const model = modelSchema.safeParse(value);
  if (status === 200 && model.success && model.data.labels.length > 0) return model.data;
  const other = anyModelSchema.safeParse(value);
  if (status === 200 && other.success) {
    throw new UserError(
      `${name} cannot be evaluated: it takes ${other.data.input.kind} input${other.data.labels.length === 0 ? ' and answers without labels' : ''}; classifiers of texts and images can.`,
    );
  }
  const known = listSchema.safeParse((await get(`${url}/v1/models`, apiKey)).value);
  if (status === 404 && known.success) {
    const names = known.data.models.map((entry) => entry.name).join(', ');
    throw new UserError(`The gateway at ${url} has no model "${name}", only ${names === '' ? 'none at all' : names}.`);
  }
  throw new UserError(`${url} does not answer like this gateway: GET /v1/models/${name} gave HTTP ${status}.`);
}

async function get(url: string, apiKey: string | undefined): Promise<{ status: number; value: unknown }> {
  let response: Response;
  try {
    response = await fetch(url, {
      headers: apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (cause) {
    throw new UserError(`Nothing answers at ${url}: ${reasonOf(cause)}.`, { cause });
  }
  const value: unknown = await response.json().catch(() => undefined);
  return { status: response.status, value };
}

/** fetch says only "fetch failed"; why is in its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (cause instanceof Error) return 'code' in cause ? String(cause.code) : cause.message;
  return error.message;
}
