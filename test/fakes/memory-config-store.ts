/** Configuration versions in memory: published by the test, awake or away as the test says. */
import { GatewayError } from '../../shared/errors.ts';
import type { Config } from '../../shared/schema/config.ts';
import type { ConfigStore } from '../../worker/ports.ts';

export type MemoryConfigStore = ConfigStore & {
  publish(config: Config): void;
  /** What the next loads do instead of answering: fail, or never end. */
  misbehave(how: 'fail' | 'hang' | undefined): void;
  readonly loads: number;
};

export function createMemoryConfigStore(): MemoryConfigStore {
  let current: { config: Config; version: number } | undefined;
  let how: 'fail' | 'hang' | undefined;
  let loads = 0;
  return {
    publish(config) {
      current = { config, version: (current?.version ?? 0) + 1 };
    },
    misbehave(next) {
      how = next;
    },
    get loads() {
      return loads;
    },
    async load(knownVersion, signal) {
      loads += 1;
      if (how === 'hang') {
        await new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new GatewayError('target_unavailable', 'The store hung.')));
        });
      }
      if (how === 'fail' || signal.aborted)
        throw new GatewayError('target_unavailable', 'The store is away.', { detail: 'secret' });
      if (current === undefined) throw new GatewayError('not_configured', 'Nothing was published.');
      const version = String(current.version);
      return version === knownVersion ? undefined : { config: current.config, version };
    },
  };
}
