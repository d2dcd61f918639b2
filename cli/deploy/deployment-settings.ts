/**
 * The settings a deployment is made from: those of a file, or of cdk.json, with what the command line adds. Owns that all steps
 * of a deployment see the same ones, and that a file of one environment is never used for another; leaves out their shape
 * (infra/settings.ts).
 */
import { readCdkContext } from '../../infra/context.ts';
import { deploymentName, parseSettings, SETTINGS_CONTEXT_KEY, SettingsError } from '../../infra/settings.ts';
import { CommandFailure } from '../command-failure.ts';
import { readJson } from '../operator/read-json.ts';

export type DeploymentSettings = {
  /** Prefix of every stack. */
  readonly deployment: string;
  readonly environment: string;
  /** Undefined: AWS's usual chain decides. */
  readonly region: string | undefined;
  /** Who vouches for the worker; undefined where it has a key pair. */
  readonly issuer: string | undefined;
  /** As CDK takes them: `-c` replaces what cdk.json says under this key, so nothing may be left out. */
  readonly cdkContext: string;
};

export type SettingsSource = {
  readonly root: string;
  /** A file of settings; without one, those of cdk.json. */
  readonly file: string | undefined;
  readonly environment: string;
  readonly name: string | undefined;
  readonly region: string | undefined;
};

export async function deploymentSettings(source: SettingsSource): Promise<DeploymentSettings> {
  const { root, file, environment, name, region } = source;
  const where = file ?? 'cdk.json';
  const raw = await rawSettings(file ?? readCdkContext(root)[SETTINGS_CONTEXT_KEY]);
  if (raw['environment'] !== undefined && raw['environment'] !== environment) {
    throw new CommandFailure(
      'invalid',
      `${where} has the settings of ${JSON.stringify(raw['environment'])}, not of ${environment}: give --settings FILE, or leave "environment" out of it.`,
    );
  }
  const merged = {
    ...raw,
    environment,
    ...(name === undefined ? {} : { name }),
    ...(region === undefined ? {} : { region }),
  };
  try {
    const settings = parseSettings(merged);
    return {
      deployment: deploymentName(settings),
      environment,
      region: settings.region,
      issuer: settings.identity.issuer,
      cdkContext: `${SETTINGS_CONTEXT_KEY}=${JSON.stringify(merged)}`,
    };
  } catch (error) {
    if (error instanceof SettingsError) throw new CommandFailure('invalid', error.message);
    throw error;
  }
}

/** As CDK's context has them: an object, JSON, or the name of a file. */
async function rawSettings(value: unknown): Promise<Readonly<Record<string, unknown>>> {
  const isFile = typeof value === 'string' && !value.trimStart().startsWith('{');
  const read: unknown = isFile ? await readJson(value) : typeof value === 'string' ? parse(value) : (value ?? {});
  if (typeof read === 'object' && read !== null && !Array.isArray(read)) return { ...read };
  throw new CommandFailure('invalid', `The deployment's settings must be one JSON object.`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
