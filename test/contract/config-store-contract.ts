/** What every ConfigStore promises. */
import { afterEach, describe, expect, it } from 'vitest';
import type { Config } from '../../shared/schema/config.ts';
import type { ConfigStore } from '../../worker/ports.ts';
import { testConfig } from '../worker/test-config.ts';

export type ConfigStoreHarness = {
  readonly store: ConfigStore;
  /** Makes the configuration the current one, as its next version. */
  readonly publish: (config: Config) => Promise<void>;
  /** Moves the pointer back; left out where the store cannot. */
  readonly rollBack?: (version: number) => Promise<void>;
  readonly breakDown: () => Promise<void>;
  close?(): Promise<void>;
};

const never = new AbortController().signal;

export function describeConfigStoreContract(name: string, open: () => Promise<ConfigStoreHarness>): void {
  describe(`the configuration store contract: ${name}`, () => {
    const opened: ConfigStoreHarness[] = [];
    afterEach(async () => {
      for (const one of opened.splice(0)) await one.close?.();
    });
    async function harness(): Promise<ConfigStoreHarness> {
      const made = await open();
      opened.push(made);
      return made;
    }
    const described = (description: string): Config => testConfig((config) => ({ ...config, description }));

    it('gives what was published, whole', async () => {
      const { store, publish } = await harness();
      await publish(described('first \u00e9\u{1F600}'));
      expect(await store.load(undefined, never)).toEqual({ config: described('first \u00e9\u{1F600}'), version: '1' });
    });

    it('gives nothing where the known version is still current', async () => {
      const { store, publish } = await harness();
      await publish(described('first'));
      expect(await store.load('1', never)).toBeUndefined();
    });

    it('gives the newest version to whoever knows another', async () => {
      const { store, publish } = await harness();
      await publish(described('first'));
      await publish(described('second'));
      for (const known of ['1', undefined, 'embedded']) {
        expect(await store.load(known, never)).toMatchObject({ version: '2', config: { description: 'second' } });
      }
    });

    it('follows the pointer back', async () => {
      const { store, publish, rollBack } = await harness();
      if (rollBack === undefined) return;
      await publish(described('first'));
      await publish(described('second'));
      await rollBack(1);
      expect(await store.load('2', never)).toMatchObject({ version: '1', config: { description: 'first' } });
    });

    it('throws where nothing was ever published', async () => {
      const { store } = await harness();
      await expect(store.load(undefined, never)).rejects.toThrow(/published/);
    });

    it('throws where it is away', async () => {
      const { store, publish, breakDown } = await harness();
      await publish(described('first'));
      await breakDown();
      await expect(store.load(undefined, never)).rejects.toThrow(/away|answer|reached/);
    });

    it('throws for a caller that left', async () => {
      const { store, publish } = await harness();
      await publish(described('first'));
      await expect(store.load(undefined, AbortSignal.abort())).rejects.toThrow(/./);
    });
  });
}
