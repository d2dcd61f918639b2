/**
 * Thresholds: chosen on the first half of the rows, reported on the second by a run of their own; and the cascade's
 * frontier, for the plot. Owns which rows serve what.
 */
import { renderTable } from '../text-table.ts';
import { compare, oraclesOf, runOne } from './compare.ts';
import { LEFT_OUT, searchThresholds, type Grid, type GridStep, type Tried } from './grid.ts';
import { renderComparison } from './report.ts';
import { createScenario, servedBy, type Hosting, type Scenario, type ScenarioOptions } from './scenario.ts';
import { gateway, type Served } from './strategies.ts';
import type { Summary } from './summarize.ts';

const FRONTIER_POINTS = 12;
/** Lines of the table: the best ones. */
const SHOWN = 12;

export async function tune(options: ScenarioOptions, hosting: Hosting, asJson: boolean): Promise<string> {
  const first = await createScenario({ ...options, half: 'first' });
  const grid = searchThresholds(first.answers, stepsOf(first, servedBy(first, hosting)));
  const accept = grid.chosen?.accept ?? {};
  const before = await createScenario({ ...options, half: 'second' });
  const after = await createScenario({ ...options, half: 'second', accept });
  const [asIs, cloud] = compare(before, ['cascade', 'all-cloud'], hosting);
  const [tuned] = compare(after, ['cascade'], hosting);
  const summaries = [
    ...(asIs === undefined ? [] : [{ ...asIs, strategy: 'as configured' }]),
    ...(tuned === undefined ? [] : [{ ...tuned, strategy: 'as chosen' }]),
    ...(cloud === undefined ? [] : [cloud]),
  ];
  if (asJson) return JSON.stringify({ chosen_on_first_half: grid.chosen ?? null, on_second_half: summaries }, null, 2);
  return [
    `Chosen on the first half of the rows (${first.answers.rows}; the reference alone ${percent(grid.referenceAccuracy)}):`,
    renderGrid(grid),
    '',
    'On the second half:',
    renderComparison(after, summaries),
  ].join('\n');
}

function renderGrid({ tried, chosen }: Grid): string {
  const best = [...tried].sort((a, b) => b.routingAccuracy - a.routingAccuracy).slice(0, SHOWN);
  const shown = chosen === undefined || best.includes(chosen) ? best : [...best, chosen];
  return renderTable(
    [
      { title: 'thresholds', align: 'left' },
      { title: 'routing', align: 'right' },
      { title: 'accuracy', align: 'right' },
      { title: 'agrees', align: 'right' },
      { title: 'answered by each step', align: 'left' },
      { title: '', align: 'left' },
    ],
    shown.map((one) => [
      nameOf(one),
      percent(one.routingAccuracy),
      percent(one.accuracy),
      percent(one.agreement),
      one.shares.map((share) => percent(share)).join(', '),
      one === chosen ? 'chosen' : '',
    ]),
  );
}

function stepsOf({ answers }: Scenario, { config, route, model }: Served): readonly GridStep[] {
  if (route.policy.kind !== 'cascade') throw new RangeError('only a cascade has thresholds');
  return route.policy.steps.map(({ variant: name }) => {
    const variant = answers.variants.indexOf(name);
    const target = config.targets.find(({ serves }) =>
      serves.some((served) => served.model === model.name && served.variant === name),
    );
    return { variant, name, kind: target?.endpoint.kind ?? 'nowhere' };
  });
}

/** The best accuracy at each share that stays at the edge, run one by one. */
export function simulateFrontier(scenario: Scenario, hosting: Hosting): readonly Summary[] {
  const served = servedBy(scenario, hosting);
  if (served.route.policy.kind !== 'cascade') return [];
  const oracles = oraclesOf(scenario, served);
  const steps = stepsOf(scenario, served);
  const isEdge = (_: number, index: number): boolean => steps[index]?.kind === 'edge';
  const atEdge = ({ shares }: Tried): number => shares.filter(isEdge).reduce((sum, share) => sum + share, 0);
  const { tried } = searchThresholds(scenario.answers, steps);
  const best: Tried[] = [];
  for (const one of [...tried].sort((a, b) => atEdge(b) - atEdge(a) || b.accuracy - a.accuracy)) {
    if (one.accuracy > (best.at(-1)?.accuracy ?? 0)) best.push(one);
  }
  const step = Math.max(1, (best.length - 1) / (FRONTIER_POINTS - 1));
  const picked = best.filter((_, index) => Math.round(Math.round(index / step) * step) === index);
  return picked.map((one) => {
    const route = servedBy({ ...scenario, options: { ...scenario.options, accept: one.accept } }, hosting);
    return runOne(scenario, route, gateway(nameOf(one), route), oracles);
  });
}

function nameOf({ accept }: Tried): string {
  return Object.entries(accept)
    .map(([variant, value]) => `${variant} ${value >= LEFT_OUT ? 'left out' : value}`)
    .join(', ');
}

function percent(ratio: number): string {
  return `${(100 * ratio).toFixed(2)} %`;
}
