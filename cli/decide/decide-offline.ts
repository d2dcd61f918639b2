/**
 * One decision without a gateway: a request's JSON, a configuration and what is supposed to be seen -> the plan, by the very
 * parser and core that the worker runs.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decide } from '../../shared/decide/plan.ts';
import type { Plan } from '../../shared/decide/plan-types.ts';
import { GatewayError } from '../../shared/errors.ts';
import { cardSchema, type Card } from '../../shared/schema/card.ts';
import { defaultConfig } from '../../shared/config/default-config.ts';
import { nanosFromUsd } from '../../shared/measure/pricing.ts';
import type { Config, ModelSpec, RouteSpec } from '../../shared/schema/config.ts';
import type { Requirements } from '../../shared/schema/infer-request.ts';
import { inputCount } from '../../shared/schema/model-input.ts';
import { REPOSITORY_ROOT } from '../../local/bundle-worker.ts';
import { parseWire } from '../../worker/http/parse-wire.ts';
import { inputBytes, inputChars } from '../../worker/pipeline/input-size.ts';
import { parse } from '../../worker/pipeline/parse.ts';
import { CommandFailure } from '../command-failure.ts';
import { checkNames, stateOf, type Supposed } from './supposed.ts';

export type OfflineDecision = {
  readonly plan: Plan;
  readonly model: ModelSpec;
  readonly route: RouteSpec;
  readonly requirements: Requirements;
  readonly items: number;
  readonly leftMs: number;
};

/** @throws CommandFailure where the gateway would refuse the request, with its code and words */
export async function decideOffline(
  request: unknown,
  config: Config,
  supposed: Supposed,
  nowMs: number,
): Promise<OfflineDecision> {
  const parsed = await parsedAsTheGatewayDoes(request, config);
  const { model, route, targets } = parsed.served;
  checkNames(supposed, targets);
  const { input, requirements, metadata } = parsed.request;
  const leftMs = (requirements.latencyMs ?? route.default_deadline_ms) - supposed.elapsed_ms;
  const { edge_load: load, budget_usd: budgetUsd } = supposed;
  const plan = decide({
    nowMs,
    deadlineAtMs: nowMs + leftMs,
    random: supposed.random,
    caller: { tenant: supposed.tenant, requestId: supposed.request_id, metadata: metadata ?? {} },
    requirements,
    itemCount: inputCount(input),
    inputBytes: inputBytes(input),
    inputChars: inputChars(input),
    difficulty: supposed.difficulty,
    model,
    route,
    targets: targets.map((spec) => stateOf(spec, model.name, supposed, nowMs)),
    edgeLoad: load === undefined ? undefined : { cpuRatio: load.cpu_ratio, queueMs: load.queue_ms },
    budgetNanos: budgetUsd === undefined ? undefined : nanosFromUsd(budgetUsd),
    gatewayPrice: config.gateway_price,
  });
  return { plan, model, route, requirements, items: inputCount(input), leftMs };
}

async function parsedAsTheGatewayDoes(request: unknown, config: Config): ReturnType<typeof parse> {
  try {
    return await parse(parseWire(request), config);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    throw new CommandFailure('invalid', `The gateway would refuse it: ${error.code}: ${error.message}`, {
      refused_as: error.code,
      field: error.field ?? null,
    });
  }
}

const SHIPPED_MODELS = ['intent', 'banking', 'digits'] as const;

/** The shipped configuration, as if its cloud places were deployed. */
export async function shippedConfig(): Promise<Config> {
  return defaultConfig(await Promise.all(SHIPPED_MODELS.map(readCard)), {
    region: 'us-east-1',
    lambdaFunctionUrl: 'https://function.example/',
    sagemakerEndpointName: 'large',
    sagemakerBaseUrl: null,
  });
}

async function readCard(name: string): Promise<Card> {
  return cardSchema.parse(JSON.parse(await readFile(join(REPOSITORY_ROOT, 'models', name, 'card.json'), 'utf8')));
}
