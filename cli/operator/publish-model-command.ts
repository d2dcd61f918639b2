/**
 * `hybrid models publish`: a model with a card, into the configuration in force. Owns what is added for it: the model, who
 * serves it at the edge, a route where it has none.
 */
import { join } from 'node:path';
import { Command } from 'commander';
import { defaultConfig } from '../../shared/config/default-config.ts';
import { addModel, type Edited } from '../../shared/control/edit-config.ts';
import { cardSchema, type Card } from '../../shared/schema/card.ts';
import type { Config, ModelSpec } from '../../shared/schema/config.ts';
import { CommandFailure } from '../command-failure.ts';
import { registerModel } from '../control/model-registry.ts';
import { readUserFile } from '../models/examples.ts';
import type { GlobalFlags } from './connection.ts';
import { performOnTable, type Operator } from './operator.ts';
import { addPublishOptions, publisherFrom, publishEdit, type PublishFlags } from './publish-change.ts';

const NO_CLOUD = { region: 'local', lambdaFunctionUrl: null, sagemakerEndpointName: null, sagemakerBaseUrl: null };

export function createPublishModelCommand(operator: Operator): Command {
  return addPublishOptions(new Command('publish'))
    .description('Adds a model, as its card says, to the configuration in force, or puts its new version there.')
    .argument('<folder>', 'such as models/intent: card.json and what it names')
    .action((folder: string, _flags: GlobalFlags, command: Command) =>
      performOnTable(operator, command.optsWithGlobals<PublishFlags>(), async (connection, flags) => {
        const card = await readCard(folder);
        if (flags.dryRun !== true) {
          await registerModel(connection.table, card, flags.by ?? publisherFrom(operator), operator.nowMs());
        }
        const report = await publishEdit(
          operator,
          connection,
          flags,
          (config) => withModel(config, card),
          `model ${card.name} ${card.version}`,
        );
        return { ...report, text: [report.text, ...uploads(folder, card)].join('\n') };
      }),
    );
}

async function readCard(folder: string): Promise<Card> {
  const file = join(folder, 'card.json');
  const text = (await readUserFile(file)).toString('utf8');
  try {
    return cardSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new CommandFailure('invalid', `${file} is no card: ${cause instanceof Error ? cause.message : ''}`, {});
  }
}

/** Places that the configuration has stay as they are; one that it lacks is added as the default has it. */
function withModel(config: Config, card: Card): Edited {
  const wanted = defaultConfig([card], NO_CLOUD);
  const [model] = wanted.models;
  const [route] = wanted.routes;
  if (model === undefined || route === undefined) return { ok: false, missing: `model ${card.name}`, known: [] };
  const edge = wanted.targets.filter(({ endpoint }) => endpoint.kind === 'edge');
  const lacking = edge.filter(({ id }) => !config.targets.some((target) => target.id === id));
  const isNew = !config.routes.some((present) => present.model === model.name);
  const edited = addModel(
    { ...config, targets: [...config.targets, ...lacking.map((target) => ({ ...target, serves: [] }))] },
    model,
    [...edge.map(({ id, serves }) => ({ target: id, serves })), ...cloudPlacements(config, model)],
  );
  if (!edited.ok || !isNew) return edited;
  const routes = edited.config.routes.map((made) => (made.model === model.name ? route : made));
  return { ok: true, config: { ...edited.config, routes } };
}

/** What cloud places served of the model they go on serving, as far as its new version has the variants. */
function cloudPlacements(
  config: Config,
  model: ModelSpec,
): { target: string; serves: Config['targets'][number]['serves'] }[] {
  return config.targets
    .filter(({ endpoint }) => endpoint.kind !== 'edge')
    .map(({ id, serves }) => ({
      target: id,
      serves: serves.filter(
        (served) => served.model === model.name && model.variants.some(({ name }) => name === served.variant),
      ),
    }));
}

/** Assets travel with `wrangler deploy`; objects of R2 are put there by hand. */
function uploads(folder: string, card: Card): string[] {
  const [model] = defaultConfig([card], NO_CLOUD).models;
  const files = (model?.variants ?? []).flatMap(({ weights, onnx }) => [weights, onnx?.tokenizer?.vocabulary.weights]);
  return files.flatMap((weights) =>
    weights?.kind === 'r2'
      ? [
          `Its weights are expected in R2: npx wrangler r2 object put hybrid-inference-weights/${weights.path} --remote --file ${join(folder, weights.path.split('/').slice(1).join('/'))}`,
        ]
      : [],
  );
}
