/**
 * The server audit of graphql-http against the running gateway.
 */
import { serverAudits } from 'graphql-http';
import type { Check } from './checks.ts';

export function graphQlChecks(url: string): readonly Check[] {
  return serverAudits({ url: `${url}/graphql` }).map((audit) => ({
    name: audit.name,
    run: async () => {
      const result = await audit.fn();
      if (result.status !== 'ok') throw new Error(result.reason);
    },
  }));
}
