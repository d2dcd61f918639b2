/**
 * `hybrid routes` and `hybrid targets`: the commands that look at, and change, one part of the configuration. Each change is
 * a published version like any other.
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import { setRoute, setTargetEnabled, type RouteChange } from '../../shared/control/edit-config.ts';
import type { Config, RouteSpec } from '../../shared/schema/config.ts';
import { issuePath } from '../../shared/schema/issue-path.ts';
import { policySchema } from '../../shared/schema/route-policy.ts';
import { CommandFailure } from '../command-failure.ts';
import type { ProbedStatus } from '../../shared/control/resource-status.ts';
import { readCurrent } from '../control/config-versions.ts';
import { readStatuses } from '../control/resource-statuses.ts';
import type { GlobalFlags } from './connection.ts';
import { performOnTable, type Operator } from './operator.ts';
import { collect, parseMs, parseRatio } from './parse-option.ts';
import { addPublishOptions, publishEdit, type PublishFlags } from './publish-change.ts';
import { readJson } from './read-json.ts';
import { table } from './terminal.ts';

type Step = { readonly variant: string; readonly accept_confidence: number };

type RouteFlags = PublishFlags & {
  readonly policy?: 'cascade' | 'cheapest' | 'fastest' | 'most_accurate';
  readonly policyFile?: string;
  readonly step?: readonly Step[];
  readonly model?: string;
  readonly deadline?: number;
  readonly deadlineProbability?: number;
  readonly cacheTtl?: number;
  readonly staleIfError?: number;
};

export function createRoutesCommand(operator: Operator): Command {
  return new Command('routes')
    .description('Routes: how a model is answered for a class of requests.')
    .addCommand(
      new Command('show')
        .description('One route, or all of them.')
        .argument('[name]')
        .action((name: string | undefined, _flags: GlobalFlags, command: Command) =>
          performOnTable(operator, command.optsWithGlobals<GlobalFlags>(), async (connection) => {
            const { facts, config } = await readCurrent(connection.table, connection.environment);
            const routes = config.routes.filter((route) => name === undefined || route.name === name);
            if (name !== undefined && routes.length === 0) throw noRoute(name, config);
            return { value: { version: facts.version, routes }, text: routesTable(routes) };
          }),
        ),
    )
    .addCommand(
      addPublishOptions(new Command('set'))
        .description('Changes a route, or makes one where --model names a model.')
        .argument('<name>')
        .addOption(
          new Option('--policy <kind>', 'how it chooses').choices(['cascade', 'cheapest', 'fastest', 'most_accurate']),
        )
        .option(
          '--step <variant=confidence>',
          'a step of its cascade, in order, each with the confidence below which it escalates; repeat it',
          collect(parseStep),
        )
        .option('--policy-file <file>', 'a policy with parts of its own, such as a split or a canary, as JSON')
        .option('--model <name>', 'the model it answers for')
        .option('--deadline <ms>', 'where a caller gives no latency requirement', parseMs)
        .option(
          '--deadline-probability <ratio>',
          'of meeting a deadline, for a plan to count as meeting it',
          parseRatio,
        )
        .option('--cache-ttl <ms>', 'how long an answer is kept; 0 keeps none', parseMs)
        .option('--stale-if-error <ms>', 'after that, how long it may stand in when everything fails', parseMs)
        .action((name: string, _flags: RouteFlags, command: Command) =>
          performOnTable(operator, command.optsWithGlobals<RouteFlags>(), async (connection, flags) => {
            const policy = await policyFrom(flags);
            return publishEdit(
              operator,
              connection,
              flags,
              (config) => setRoute(config, name, routeChange(config, name, flags, policy)),
              `routes set ${name}`,
            );
          }),
        ),
    );
}

export function createTargetsCommand(operator: Operator): Command {
  const enabling = (verb: 'drain' | 'enable', description: string): Command =>
    addPublishOptions(new Command(verb))
      .description(description)
      .argument('<id>')
      .action((id: string, _flags: PublishFlags, command: Command) =>
        performOnTable(operator, command.optsWithGlobals<PublishFlags>(), (connection, flags) =>
          publishEdit(
            operator,
            connection,
            flags,
            (config) => setTargetEnabled(config, id, verb === 'enable'),
            `targets ${verb} ${id}`,
          ),
        ),
      );
  return new Command('targets')
    .description('Targets: the places that answer.')
    .addCommand(
      new Command('list')
        .description('Every target of the current configuration.')
        .action((_flags: GlobalFlags, command: Command) =>
          performOnTable(operator, command.optsWithGlobals<GlobalFlags>(), async (connection) => {
            const { facts, config } = await readCurrent(connection.table, connection.environment);
            const statuses = await readStatuses(connection.table, config);
            const targets = config.targets.map((target) => ({
              ...target,
              status: statusValue(statuses.get(target.id)),
            }));
            return {
              value: { version: facts.version, targets },
              text: targetsTable(config, statuses, operator.nowMs()),
            };
          }),
        ),
    )
    .addCommand(enabling('drain', 'Sends a target no more requests; those under way end as they would.'))
    .addCommand(enabling('enable', 'Lets a target answer again.'));
}

function routeChange(
  config: Config,
  name: string,
  flags: RouteFlags,
  policy: RouteSpec['policy'] | undefined,
): RouteChange {
  const present = config.routes.find((route) => route.name === name);
  const cache = { ...(present?.cache ?? { ttl_ms: 300_000, stale_if_error_ms: 3_600_000 }) };
  if (flags.cacheTtl !== undefined) cache.ttl_ms = flags.cacheTtl;
  if (flags.staleIfError !== undefined) cache.stale_if_error_ms = flags.staleIfError;
  const change: RouteChange = {
    model: flags.model,
    policy,
    default_deadline_ms: flags.deadline,
    deadline_probability: flags.deadlineProbability,
    cache: flags.cacheTtl === undefined && flags.staleIfError === undefined ? undefined : cache,
  };
  if (Object.values(change).some((value) => value !== undefined)) return change;
  throw new CommandFailure('usage', 'Nothing to set: name at least one field, such as --step or --deadline.');
}

async function policyFrom({ policy, policyFile, step }: RouteFlags): Promise<RouteSpec['policy'] | undefined> {
  if (policyFile !== undefined) {
    const parsed = policySchema.safeParse(await readJson(policyFile));
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    throw new CommandFailure('invalid', `${policyFile}: ${issuePath(issue?.path ?? [])}: ${issue?.message ?? ''}`);
  }
  if (step !== undefined) {
    if (policy !== undefined && policy !== 'cascade') {
      throw new CommandFailure('usage', `--step belongs to a cascade, not to the policy ${policy}.`);
    }
    return { kind: 'cascade', steps: [...step] };
  }
  if (policy === 'cascade')
    throw new CommandFailure('usage', 'A cascade needs its steps: --step micro=0.9 --step large=0');
  return policy === undefined ? undefined : { kind: policy };
}

function parseStep(text: string): Step {
  const [variant = '', confidence = '', ...rest] = text.split('=');
  if (variant === '' || rest.length > 0) throw new InvalidArgumentError('It is not like micro=0.9.');
  return { variant, accept_confidence: parseRatio(confidence) };
}

function noRoute(name: string, config: Config): CommandFailure {
  const known = config.routes.map((route) => route.name);
  return new CommandFailure('not_found', `There is no route ${name}; there is ${known.join(', ')}.`, { known });
}

function routesTable(routes: readonly RouteSpec[]): string {
  const rows = routes.map((route) => [
    route.name,
    route.model,
    route.policy.kind === 'cascade'
      ? route.policy.steps.map((step) => `${step.variant} ${step.accept_confidence}`).join(' > ')
      : route.policy.kind,
    String(route.default_deadline_ms),
    String(route.cache.ttl_ms),
    route.guarantee === undefined ? '' : `${route.guarantee.min_agreement} at ${route.guarantee.confidence}`,
  ]);
  return table(['route', 'model', 'policy', 'deadline ms', 'cache ms', 'agreement'], rows);
}

function statusValue(status: ProbedStatus | undefined): object | null {
  if (status === undefined) return null;
  return {
    health: status.health,
    as_of: new Date(status.asOfMs).toISOString(),
    latency_ms: status.latencyMs,
    load_ratio: status.loadRatio,
    detail: status.detail,
  };
}

function targetsTable(config: Config, statuses: ReadonlyMap<string, ProbedStatus>, nowMs: number): string {
  const rows = config.targets.map((target) => {
    const status = statuses.get(target.id);
    return [
      target.id,
      target.endpoint.kind,
      target.region,
      target.enabled ? 'enabled' : 'drained',
      status === undefined ? '-' : `${status.health}: ${status.detail}`,
      status === undefined ? '-' : `${Math.max(0, Math.round((nowMs - status.asOfMs) / 1_000))} s ago`,
      load(status?.loadRatio ?? null),
      target.serves.map((served) => `${served.model}/${served.variant}`).join(' '),
    ];
  });
  return table(['target', 'kind', 'region', 'state', 'last probe', '', 'load', 'serves'], rows);
}

function load(ratio: number | null): string {
  return ratio === null ? '-' : `${(100 * ratio).toFixed(0)} %`;
}
