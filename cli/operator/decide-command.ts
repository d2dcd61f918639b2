/**
 * `hybrid decide`: what the gateway would do with a request, and why. Needs neither gateway nor network.
 */
import { Command } from 'commander';
import { mustBeWhole } from '../control/publish-config.ts';
import { decideOffline, shippedConfig } from '../decide/decide-offline.ts';
import { describeDecision } from '../decide/describe-decision.ts';
import { NOTHING_SUPPOSED, parseSupposed } from '../decide/supposed.ts';
import type { GlobalFlags } from './connection.ts';
import { perform, type Operator } from './operator.ts';
import { readJson } from './read-json.ts';

type DecideFlags = GlobalFlags & { readonly config?: string; readonly facts?: string };

export function createDecideCommand(operator: Operator): Command {
  return new Command('decide')
    .description(
      'What the gateway would do with a request and why: candidates, predictions, refusals, the winner.\n' +
        'Decided here, by the same core; exit 6 where nothing could answer.',
    )
    .argument('<request.json>', 'the body of POST /v1/infer, or - for standard input')
    .option('--config <file>', 'a configuration (default: the shipped one, as if its cloud places were deployed)')
    .option('--facts <file>', 'what is supposed to be seen: latencies, breakers, load (default: nothing yet)')
    .addHelpText('after', FACTS_HELP)
    .action((file: string, _flags: DecideFlags, command: Command) =>
      perform(operator, command.optsWithGlobals<DecideFlags>(), async ({ config, facts }) => {
        const decided = await decideOffline(
          await readJson(file),
          config === undefined ? await shippedConfig() : mustBeWhole(await readJson(config)),
          facts === undefined ? NOTHING_SUPPOSED : parseSupposed(await readJson(facts)),
          operator.nowMs(),
        );
        const { plan, requirements, leftMs } = decided;
        return {
          value: { model: decided.model.name, route: decided.route.name, left_ms: leftMs, requirements, plan },
          text: describeDecision(decided),
          unhealthy: plan.attempts.length === 0,
        };
      }),
    );
}

const FACTS_HELP = `
Facts, for example (every field may be left out):
  {"elapsed_ms": 5, "location": {"latitude": 51.5, "longitude": -0.1}, "edge_load": {"cpu_ratio": 0.3},
   "targets": {"lambda": {"breaker_open_for_ms": 1500},
               "sagemaker": {"in_flight": 12, "observed": {"large": {"count": 300, "p50_ms": 90, "p95_ms": 160}}}}}`;
