/**
 * `GET /openapi.json` for machines and `GET /docs` for people. Both are open: they say nothing that is not in the source.
 */
import { openApiDocument } from './document.ts';
import { referencePage, type ReadableDocument } from './page.ts';

export function openApiJson(): Response {
  return Response.json(openApiDocument(), { headers: { 'cache-control': 'public, max-age=300' } });
}

export function docs(request: Request): Response {
  // Made by us a moment ago: what it holds is known, only not to the compiler.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const document = openApiDocument() as unknown as ReadableDocument;
  const page = referencePage(document, new URL(request.url).origin);
  return new Response(page, {
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
      'cache-control': 'public, max-age=300',
    },
  });
}
