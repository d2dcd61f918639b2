/**
 * Publishes an identity's two documents at an address of its own, as a static host does in production. Owns serving them;
 * their contents are shared/identity.
 */
import type { ServerResponse } from 'node:http';
import { DISCOVERY_PATH, discoveryDocument, KEY_SET_PATH } from '../shared/identity/documents.ts';
import type { PublicKey } from '../shared/identity/documents.ts';
import type { Fault } from './lib/fault.ts';
import { startHttpService } from './lib/http-service.ts';

export type IdentityHost = {
  readonly issuer: string;
  /** From now on these keys and no others. */
  publish(keys: readonly PublicKey[]): void;
  setFault(fault: Fault | null): Promise<void>;
  counts(): { readonly received: number };
  close(): Promise<void>;
};

export async function startIdentityHost(keys: readonly PublicKey[]): Promise<IdentityHost> {
  let published = keys;
  const sendNothing = (response: ServerResponse, status: number): void => {
    response.writeHead(status).end();
  };
  const service = await startHttpService({
    maxBodyBytes: 0,
    contentType: () => 'application/json',
    sendTooLarge: (response) => sendNothing(response, 413),
    sendStatus: sendNothing,
    async handle(request, response) {
      const document = documentAt(request.path.slice(1));
      if (document === undefined || request.method !== 'GET') sendNothing(response, 404);
      else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document));
    },
  });
  const documentAt = (path: string): unknown => {
    if (path === DISCOVERY_PATH) return discoveryDocument(service.url);
    return path === KEY_SET_PATH ? { keys: published } : undefined;
  };
  return {
    issuer: service.url,
    publish(next) {
      published = next;
    },
    setFault: (fault) => service.setFault(fault),
    counts: () => service.counts(),
    close: () => service.close(),
  };
}
