/**
 * `hybrid models list` and `hybrid models remove`: what the configuration in force serves, and taking a model out of it.
 */
import { Command } from 'commander';
import { removeModel } from '../../shared/control/edit-config.ts';
import type { Config, ModelSpec } from '../../shared/schema/config.ts';
import { readCurrent } from '../control/config-versions.ts';
import { registeredVersions, type RegisteredModel } from '../control/model-registry.ts';
import type { GlobalFlags } from './connection.ts';
import { performOnTable, type Operator } from './operator.ts';
import { addPublishOptions, publishEdit, type PublishFlags } from './publish-change.ts';
import { table } from './terminal.ts';

export function createListModelsCommand(operator: Operator): Command {
  return new Command('list')
    .description('Models of the configuration in force: variants, where each is served, versions ever registered.')
    .action((_flags: GlobalFlags, command: Command) =>
      performOnTable(operator, command.optsWithGlobals<GlobalFlags>(), async (connection) => {
        const { facts, config } = await readCurrent(connection.table, connection.environment);
        const registered = await Promise.all(
          config.models.map((model) => registeredVersions(connection.table, model.name)),
        );
        return {
          value: {
            version: facts.version,
            models: config.models.map((model, at) => modelValue(model, config, registered[at] ?? [])),
          },
          text: modelsTable(config, registered),
        };
      }),
    );
}

export function createRemoveModelCommand(operator: Operator): Command {
  return addPublishOptions(new Command('remove'))
    .description('Takes a model, its routes and what serves nothing else out of the configuration. Its weights stay.')
    .argument('<name>')
    .action((name: string, _flags: PublishFlags, command: Command) =>
      performOnTable(operator, command.optsWithGlobals<PublishFlags>(), (connection, flags) =>
        publishEdit(operator, connection, flags, (config) => removeModel(config, name), `models remove ${name}`),
      ),
    );
}

function servedAt(config: Config, model: string, variant: string): string[] {
  return config.targets
    .filter(({ serves }) => serves.some((served) => served.model === model && served.variant === variant))
    .map(({ id }) => id);
}

function modelValue(model: ModelSpec, config: Config, registered: readonly RegisteredModel[]): object {
  return {
    name: model.name,
    version: model.version,
    task: model.task,
    reference_variant: model.reference_variant,
    variants: model.variants.map((variant) => ({
      name: variant.name,
      accuracy: variant.accuracy,
      size_bytes: variant.size_bytes,
      sha256: variant.sha256,
      served_at: servedAt(config, model.name, variant.name),
    })),
    registered: registered.map(({ version, addedAt, addedBy }) => ({ version, added_at: addedAt, added_by: addedBy })),
  };
}

function modelsTable(config: Config, registered: readonly (readonly RegisteredModel[])[]): string {
  const rows = config.models.flatMap((model, at) =>
    model.variants.map((variant, index) => [
      index === 0 ? model.name : '',
      index === 0 ? model.version : '',
      variant.name === model.reference_variant ? `${variant.name} (reference)` : variant.name,
      `${(100 * variant.accuracy).toFixed(2)} %`,
      `${(variant.size_bytes / 1_000_000).toFixed(2)} MB`,
      servedAt(config, model.name, variant.name).join(' '),
      index === 0 ? (registered[at] ?? []).map(({ version }) => version).join(' ') : '',
    ]),
  );
  return table(['model', 'version', 'variant', 'accuracy', 'size', 'served at', 'registered'], rows);
}
