/**
 * The clairvoyant: knows what every variant would say of a request and how long every place would take. Of the places
 * whose answer would be right and in time it takes the cheapest, of equally cheap ones the quickest; where none would,
 * the cheapest in time, and where none is in time, the cheapest. Owns that choice, for every request at once.
 */
import type { Config } from '../../shared/schema/config.ts';
import type { Answers } from './answers.ts';
import type { Workload } from './workload.ts';
import type { World } from './world.ts';

/** What counts as right: what the reference variant says, or what the row's label says. */
type Right = 'reference' | 'label';

export type OracleChoice = { readonly target: Uint8Array; readonly variant: Uint8Array };

export type OracleOptions = {
  readonly right: Right;
  readonly config: Config;
  readonly answers: Answers;
  readonly workload: Workload;
  /** Asked only for what a call would take alone; nothing is placed. */
  readonly world: World;
  readonly referenceVariant: string;
  readonly defaultDeadlineMs: number;
};

type Option = { readonly target: number; readonly variant: number };

export function oracleChoices(options: OracleOptions): OracleChoice {
  const { config, answers, workload, world } = options;
  const served: Option[] = config.targets.flatMap(({ serves }, target) =>
    serves.flatMap((it) => {
      const variant = answers.variants.indexOf(it.variant);
      return it.model === config.models[0]?.name && variant >= 0 ? [{ target, variant }] : [];
    }),
  );
  const reference = answers.predicted[answers.variants.indexOf(options.referenceVariant)];
  const truth = options.right === 'label' ? answers.truth : reference;
  const chosen = { target: new Uint8Array(workload.count), variant: new Uint8Array(workload.count) };
  for (let request = 0; request < workload.count; request += 1) {
    const row = workload.row[request] ?? 0;
    const stated = workload.latencyMs[request];
    const deadlineMs = stated === undefined || Number.isNaN(stated) ? options.defaultDeadlineMs : stated;
    let best: Option | undefined;
    let bestRank = -1;
    let bestCost = Infinity;
    let bestMs = Infinity;
    for (const option of served) {
      const call = {
        request,
        pop: workload.pop[request] ?? 0,
        ...option,
        repeat: 0,
        nowMs: workload.atMs[request] ?? 0,
      };
      const ms = world.aloneMs(call);
      const costNanos = world.aloneCostNanos(call);
      const isRight = answers.predicted[option.variant]?.[row] === truth?.[row];
      const rank = ms > deadlineMs ? 0 : isRight ? 2 : 1;
      const isBetter =
        rank > bestRank || (rank === bestRank && (costNanos < bestCost || (costNanos === bestCost && ms < bestMs)));
      if (!isBetter) continue;
      best = option;
      [bestRank, bestCost, bestMs] = [rank, costNanos, ms];
    }
    chosen.target[request] = best?.target ?? 0;
    chosen.variant[request] = best?.variant ?? 0;
  }
  return chosen;
}
