/**
 * Workers to compare with, measured in the same run so that ratios travel to other machines: one that only answers, and
 * the least any gateway does.
 */

/** Costs what workerd itself costs for a request with a body. */
export const BARE_WORKER = `
export default {
  async fetch(request) {
    await request.arrayBuffer();
    return new Response('{"status":"alive"}', { headers: { 'content-type': 'application/json' } });
  },
};
`;

/** Parses the request, calls one upstream, answers with what it said. */
export const PARSE_FETCH_WORKER = `
export default {
  async fetch(request, env) {
    const { model_name: model, input_data: text } = await request.json();
    const answer = await fetch(env.UPSTREAM_URL, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ request_id: crypto.randomUUID(), model, variant: 'base', input: { kind: 'text', texts: [text] }, deadline_ms: 5000 }),
    });
    const [line] = (await answer.text()).split('\\n');
    return Response.json({ model_name: model, prediction: JSON.parse(line) });
  },
};
`;
