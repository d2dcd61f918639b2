/**
 * Stores whose schemas take longer to build than a first answer may: each is loaded when it is first asked.
 */
import type { ConfigStore, GuardStore } from '../ports.ts';
import type { DynamoClient } from './dynamodb-client.ts';

/** The schema of a stored configuration takes longer to build than a first answer may; it is built when one is read. */
export function storedConfig(table: DynamoClient, environment: string): ConfigStore {
  return {
    async load(knownVersion, signal) {
      const { createDynamoConfigStore } = await import('./dynamodb-config-store.ts');
      return createDynamoConfigStore(table, environment).load(knownVersion, signal);
    },
  };
}

/** Loaded when a route with a guarantee is first read, for the same reason. */
export function storedGuard(table: DynamoClient): GuardStore {
  const opened = async () => (await import('./guard-store.ts')).createDynamoGuardStore(table);
  return {
    read: async (...asked) => (await opened()).read(...asked),
    readWindows: async (...asked) => (await opened()).readWindows(...asked),
    putWindow: async (window) => (await opened()).putWindow(window),
    putSnapshot: async (...state) => (await opened()).putSnapshot(...state),
  };
}
