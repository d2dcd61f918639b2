/**
 * A model server that takes no time, behind a Lambda Function URL as far as the gateway sees: reads the whole request,
 * answers one prediction and the closing line in one chunk, as the model server writes a short answer. Checks nothing.
 * Runs as a process of its own.
 */
import { createServer, type AddressInfo } from 'node:net';
import { responseBytes } from './response-bytes.ts';

/** @param argv the label to answer with: one the model has */
const [label = ''] = process.argv.slice(2);

const lines = [
  { kind: 'prediction', label, confidence: 0.99, top: [{ label, confidence: 0.99 }], truncated: false },
  { kind: 'done', count: 1, compute_ms: 0 },
];
const body = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
const chunks = `${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n0\r\n\r\n`;
const answer = Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n${chunks}`,
);

const server = createServer({ noDelay: true }, (socket) => {
  let held: Buffer = Buffer.alloc(0);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    // A request's head and body are framed as a response's are.
    for (let found = responseBytes(held); found !== undefined; found = responseBytes(held)) {
      held = held.subarray(found.totalBytes);
      socket.write(answer);
    }
  });
});
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.once('disconnect', () => process.exit());
