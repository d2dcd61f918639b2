/**
 * Loads one port with keep-alive connections, each sending its next request when the answer before is complete. Runs as a
 * process of its own; raw sockets, because an HTTP client would cost more than what is measured.
 */
import { connect, type Socket } from 'node:net';
import type { LoadJob, LoadResult } from './load-protocol.ts';
import { STAMP } from './load-protocol.ts';
import { responseBytes } from './response-bytes.ts';

/** What every word splitter here takes for no word at all. */
const STAMP_CHARACTERS = [' ', '.', ',', '!'];

process.on('message', (job: LoadJob) => {
  run(job).then(
    (result) => process.send?.(result),
    (error: unknown) => {
      console.error(error);
      process.exitCode = 1;
      process.disconnect();
    },
  );
});

let sent = 0;

async function run(job: LoadJob): Promise<LoadResult> {
  const requests = job.bodies.map((body) => requestText(body, job.path));
  const fixed = requests.map((text) => Buffer.from(text, 'utf8'));
  const startedAtMs = performance.now();
  const endAtMs = startedAtMs + job.durationMs;
  let answered = 0;
  let wrong = 0;
  let firstWrong: string | null = null;

  function nextRequest(): Buffer | undefined {
    if (performance.now() >= endAtMs) return undefined;
    const index = sent % fixed.length;
    sent += 1;
    return job.unique ? Buffer.from((requests[index] ?? '').replace(STAMP, stampOf(sent)), 'utf8') : fixed[index];
  }

  function take(head: string): void {
    answered += 1;
    if (head.startsWith('HTTP/1.1 200') && job.expectHeaders.every((line) => head.includes(line))) return;
    wrong += 1;
    firstWrong ??= head;
  }

  await Promise.all(Array.from({ length: job.connections }, () => loop(job.port, nextRequest, take)));
  return { requests: answered, elapsedMs: performance.now() - startedAtMs, wrong, firstWrong };
}

function loop(port: number, nextRequest: () => Buffer | undefined, take: (head: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let held: Buffer = Buffer.alloc(0);
    let over = false;
    const sendNext = () => {
      const request = nextRequest();
      if (request !== undefined) return socket.write(request);
      over = true;
      socket.end();
      return resolve();
    };
    socket.once('connect', sendNext);
    socket.once('error', reject);
    socket.once('close', () => {
      if (!over) reject(new Error('the server closed a connection'));
    });
    socket.on('data', (chunk: Buffer) => {
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      const found = responseBytes(held);
      if (found === undefined) return;
      take(held.toString('latin1', 0, found.headBytes));
      held = held.subarray(found.totalBytes);
      sendNext();
    });
  });
}

/** The length is that of the body with its stamp, which always has the same length. */
function requestText(body: string, path = '/v1/infer'): string {
  const lengthBytes = Buffer.byteLength(body.replace(STAMP, stampOf(0)), 'utf8');
  return `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${lengthBytes}\r\n\r\n${body}`;
}

const STAMP_LENGTH = 13;

function stampOf(value: number): string {
  let stamp = '';
  for (let rest = value, digit = 0; digit < STAMP_LENGTH; digit += 1, rest = Math.floor(rest / 4)) {
    stamp += STAMP_CHARACTERS[rest % 4] ?? '';
  }
  return stamp;
}
