/**
 * The reference page: the OpenAPI document for people, as one file without scripts or anything from elsewhere.
 */
type Schema = {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
};

type Content = Readonly<Record<string, { readonly schema: Schema; readonly example?: unknown }>>;

type Operation = {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required: boolean;
    readonly description: string;
    readonly schema: Schema;
  }[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content: Content }>>;
};

export type ReadableDocument = {
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
};

type Listed = { readonly path: string; readonly method: string; readonly operation: Operation };

const MAX_DEPTH = 4;

export function referencePage(document: ReadableDocument, origin: string): string {
  const listed = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Listed => ({ path, method, operation })),
  );
  const sections = document.tags.map(({ name, description }) => {
    const own = listed.filter(({ operation }) => operation.tags.includes(name));
    return `<section><h2>${escape(name)}</h2><p>${escape(description)}</p>${own.map((one) => renderOperation(one, origin)).join('')}</section>`;
  });
  const { title, version, description } = document.info;
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escape(title)} API</title><style>${STYLE}</style></head><body><main>
<h1>${escape(title)} <small>${escape(version)}</small></h1><p>${escape(description)}</p>
<p>For machines: <a href="/openapi.json">/openapi.json</a>. GraphQL: <code>POST /graphql</code>.</p>
<nav>${listed.map(renderLink).join('')}</nav>${sections.join('')}</main></body></html>`;
}

function renderLink({ path, method, operation }: Listed): string {
  return `<a href="#${escape(operation.operationId)}"><b>${method.toUpperCase()}</b> ${escape(path)}</a>`;
}

function renderOperation({ path, method, operation }: Listed, origin: string): string {
  const body = operation.requestBody?.content['application/json'];
  const answer = operation.responses['200']?.content['application/json'];
  const parameters = (operation.parameters ?? []).map(
    (one) =>
      `<tr><td><code>${escape(one.name)}</code></td><td>${escape(one.in)}, ${escape(typeOf(one.schema))}${one.required ? ', required' : ''}</td><td>${escape(one.description)}</td></tr>`,
  );
  return `<article id="${escape(operation.operationId)}"><h3><b>${method.toUpperCase()}</b> <code>${escape(path)}</code></h3>
<p>${escape(operation.summary)}</p>
${parameters.length === 0 ? '' : `<table>${parameters.join('')}</table>`}
${body === undefined ? '' : `<pre>${escape(curl(method, path, body.example, origin))}</pre><h4>Body</h4>${renderFields(body.schema, 0)}`}
${answer === undefined ? '' : `<details><summary>Answer</summary>${renderFields(answer.schema, 0)}</details>`}</article>`;
}

function curl(method: string, path: string, example: unknown, origin: string): string {
  const shown = path.replace('{model}', 'intent').replace('{version}', '1.0.0');
  return `curl -s -X ${method.toUpperCase()} ${origin}${shown} -H 'content-type: application/json' \\\n  -d '${JSON.stringify(example)}'`;
}

function renderFields(schema: Schema, depth: number): string {
  const { properties, required = [] } = schema;
  if (properties === undefined || depth > MAX_DEPTH) return `<p>${escape(typeOf(schema))}</p>`;
  const rows = Object.entries(properties).map(([name, field]) => {
    const inner = field.properties === undefined ? field.items : field;
    const nested = inner?.properties === undefined ? '' : renderFields(inner, depth + 1);
    return `<tr><td><code>${escape(name)}</code></td><td>${escape(typeOf(field))}${required.includes(name) ? ', required' : ''}${limitsOf(field)}</td><td>${nested}</td></tr>`;
  });
  return `<table>${rows.join('')}</table>`;
}

function typeOf(schema: Schema): string {
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).join(' | ');
  if (schema.type === 'array') return `list of ${schema.items === undefined ? 'anything' : typeOf(schema.items)}`;
  return schema.type === undefined ? 'anything' : [schema.type].flat().join(' | ');
}

function limitsOf({ minimum, maximum, default: fallback }: Schema): string {
  const said = [
    minimum === undefined ? '' : `from ${minimum}`,
    maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? '' : `to ${maximum}`,
    fallback === undefined ? '' : `default ${JSON.stringify(fallback)}`,
  ].filter((part) => part !== '');
  return said.length === 0 ? '' : escape(`, ${said.join(' ')}`);
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? character);
}

const STYLE = `
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}body{margin:0}main{max-width:60rem;margin:0 auto;padding:1rem}
nav{display:grid;gap:.2rem;margin:1rem 0}nav a{text-decoration:none;font-family:ui-monospace,monospace}article{border-top:1px solid #8884;padding:1rem 0}
h3 b,nav b{display:inline-block;min-width:3.5rem;color:#2563eb}pre{overflow:auto;background:#8881;padding:.8rem;border-radius:.4rem}
table{border-collapse:collapse;width:100%}td{border-bottom:1px solid #8883;padding:.25rem .5rem;vertical-align:top;text-align:left}`;
