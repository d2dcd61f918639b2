/**
 * Cloudflare's API as far as wrangler asks it when it lists secrets, deploys one worker and deletes it. Owns what it was sent;
 * leaves out accounts, limits and anything a worker does.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as z from 'zod';

type Answer = { readonly result: unknown } | { readonly code: number; readonly message: string };

export type CloudflareApi = {
  readonly url: string;
  /** Secrets by worker; a worker that is not deployed is not in it. */
  readonly workers: ReadonlyMap<string, Readonly<Record<string, string>>>;
  close(): Promise<void>;
};

const metadataSchema = z.object({
  bindings: z.array(z.object({ name: z.string(), type: z.string(), text: z.string().optional() })),
});

export async function startCloudflareApi(): Promise<CloudflareApi> {
  const workers = new Map<string, Record<string, string>>();
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => send(response, answer(request, Buffer.concat(parts).toString('latin1'), workers)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/client/v4`,
    workers,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

function answer(request: IncomingMessage, body: string, workers: Map<string, Record<string, string>>): Answer {
  const path = (request.url ?? '').split('?')[0]?.replace(/^\/client\/v4\/accounts\/[^/]+/, '') ?? '';
  const [, , collection = '', name = '', part = ''] = path.split('/');
  const secrets = workers.get(name);
  switch (`${request.method} ${collection} ${part}`) {
    case 'GET scripts secrets':
      return secrets === undefined
        ? { code: 10007, message: 'This Worker does not exist on your account.' }
        : { result: Object.keys(secrets).map((secret) => ({ name: secret, type: 'secret_text' })) };
    case 'GET services ':
      return secrets === undefined
        ? noService()
        : {
            result: {
              default_environment: {
                environment: 'production',
                script: { tag: 'one', migration_tag: 'v1', last_deployed_from: 'wrangler' },
              },
            },
          };
    case 'DELETE services ':
      return workers.delete(name) ? { result: null } : noService();
    case 'POST scripts versions':
      workers.set(name, { ...secrets, ...secretsIn(body) });
      return { result: { id: 'two', startup_time_ms: 1, resources: { script: { etag: 'two' } } } };
    case 'PUT scripts ':
      workers.set(name, { ...secrets, ...secretsIn(body) });
      return { result: { id: name, startup_time_ms: 1, deployment_id: 'one' } };
    case 'POST scripts assets-upload-session':
      return { result: { jwt: 'token', buckets: [] } };
    case 'GET workers ':
      return { result: { subdomain: { enabled: true, previews_enabled: true } } };
    case 'GET subdomain ':
      return { result: { subdomain: 'team' } };
    case 'POST scripts subdomain':
      return { result: { enabled: true, previews_enabled: true } };
    case 'PUT scripts schedules':
      return { result: { schedules: [] } };
    case 'GET scripts deployments':
      return secrets === undefined
        ? { code: 10007, message: 'This Worker does not exist on your account.' }
        : { result: { deployments: [] } };
    default:
      return { result: path.includes('/kv/namespaces') ? [] : {} };
  }
}

const noService = (): Answer => ({ code: 10090, message: 'workers.api.error.service_not_found' });

/** Of the upload's parts, the one that names bindings. */
function secretsIn(upload: string): Record<string, string> {
  const json = /name="metadata"[^\r]*(?:\r\n[^\r]+)*\r\n\r\n([\s\S]*?)\r\n--/.exec(upload)?.[1] ?? '{"bindings":[]}';
  const { bindings } = metadataSchema.parse(JSON.parse(json));
  return Object.fromEntries(
    bindings.flatMap(({ name, type, text }) => (type === 'secret_text' ? [[name, text ?? '']] : [])),
  );
}

function send(response: ServerResponse, said: Answer): void {
  const failed = 'code' in said;
  response.writeHead(failed ? 404 : 200, { 'content-type': 'application/json' });
  response.end(
    JSON.stringify({
      success: !failed,
      errors: failed ? [said] : [],
      messages: [],
      result: failed ? null : said.result,
    }),
  );
}
