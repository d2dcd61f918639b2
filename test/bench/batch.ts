/**
 * A batch of many lines through the local stack, its function killed on the way: is each line answered once, is none lost, and
 * how much memory does it take? One JSON line per figure.
 * npm run bench:batch -- [--lines 1000000] [--kills 3]
 */
import { readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { startStack, type Stack } from '../../local/stack.ts';

const { values } = parseArgs({
  options: { lines: { type: 'string', default: '1000000' }, kills: { type: 'string', default: '3' } },
});
const lines = Number(values.lines);
const kills = Number(values.kills);
const SAMPLE_MS = 250;
const TEXTS = [
  'wake me up at seven',
  'what is my balance',
  'how do i reset my pin',
  'book a table for two',
  'tell me a joke',
];

type Status = { readonly id: string; readonly status: string; readonly done: number; readonly failed: number };

const stack = await startStack({ port: 0 });
try {
  const peaks = watchMemory(stack);
  const startedAtMs = performance.now();
  const { id } = await upload(stack.url);
  const uploadedAtMs = performance.now();
  const workerdUploadedMb = peaks.workerdMb();
  const killed = await runAndKill(stack, id);
  const endedAtMs = performance.now();
  const checked = await check(stack.url, id);
  peaks.stop();
  const seconds = (endedAtMs - uploadedAtMs) / 1_000;
  print('lines answered once', checked.once, `of ${lines}`);
  print('lines lost', lines - checked.once, 'lines');
  print('lines repeated or out of place', checked.misplaced, 'lines');
  print('lines with an error', checked.failed, 'lines');
  print('kills of the function', killed, 'kills');
  print('upload', (uploadedAtMs - startedAtMs) / 1_000, 's');
  print('run, kills included', seconds, 's');
  print('lines a second', lines / seconds, '1/s');
  print('peak memory of the function', peaks.functionMb(), 'MB');
  print('peak memory of workerd while it takes the upload', workerdUploadedMb, 'MB');
  print('peak memory of workerd, cache and all isolates of the local stack', peaks.workerdMb(), 'MB');
  if (checked.once !== lines || checked.misplaced > 0) process.exitCode = 1;
} finally {
  await stack.close();
}

function print(what: string, value: number, unit: string): void {
  const rounded = Number(value.toFixed(1));
  console.log(JSON.stringify({ what, value: rounded, unit, machine: `${cpus().length} shared cores` }));
}

/** Kept at the edge: what is measured is the way of a batch, not how long a larger model takes. */
async function upload(url: string): Promise<Status> {
  const encoder = new TextEncoder();
  const LINES_A_PIECE = 500;
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const piece: string[] = [];
      for (; sent < lines && piece.length < LINES_A_PIECE; sent += 1) {
        const text = `${TEXTS[sent % TEXTS.length] ?? ''} ${sent}`;
        piece.push(`${JSON.stringify({ id: `r${sent}`, input_data: text, placement: 'edge' })}\n`);
      }
      if (piece.length > 0) controller.enqueue(encoder.encode(piece.join('')));
      else controller.close();
    },
  });
  const request: RequestInit & { readonly duplex: 'half' } = {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body,
    duplex: 'half',
  };
  const response = await fetch(`${url}/v1/batches?model_name=intent`, request);
  if (response.status !== 202) throw new Error(`the batch was refused: ${await response.text()}`);
  return (await response.json()) as Status;
}

/** Each kill comes after another share of the lines; the function begins again from what the queue brings back. */
async function runAndKill({ url, batches }: Stack, id: string): Promise<number> {
  let killed = 0;
  for (;;) {
    const status = (await (await fetch(`${url}/v1/batches/${id}`)).json()) as Status;
    if (status.status === 'completed') return killed;
    const [pid] = batches.lambda.pids();
    if (killed < kills && pid !== undefined && status.done >= ((killed + 1) * lines) / (kills + 1)) {
      process.kill(pid, 'SIGKILL');
      killed += 1;
    }
    await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
  }
}

/** Read as it comes: a million results are not held. */
async function check(url: string, id: string): Promise<{ once: number; misplaced: number; failed: number }> {
  const response = await fetch(`${url}/v1/batches/${id}/results`);
  if (response.body === null) throw new Error('no results');
  let once = 0;
  let misplaced = 0;
  let failed = 0;
  let rest = '';
  for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
    const texts = (rest + piece).split('\n');
    rest = texts.pop() ?? '';
    for (const text of texts) {
      const result = JSON.parse(text) as { line: number; id: string; status: number };
      if (result.line === once + misplaced + 1 && result.id === `r${result.line - 1}`) once += 1;
      else misplaced += 1;
      if (result.status !== 200) failed += 1;
    }
  }
  return { once, misplaced, failed };
}

function watchMemory({ batches }: Stack): { stop(): void; functionMb(): number; workerdMb(): number } {
  let functionKb = 0;
  let workerdKb = 0;
  const timer = setInterval(() => {
    for (const pid of batches.lambda.pids()) functionKb = Math.max(functionKb, peakKb(pid));
    for (const pid of childrenNamed('workerd')) workerdKb = Math.max(workerdKb, peakKb(pid));
  }, SAMPLE_MS);
  return {
    stop: () => clearInterval(timer),
    functionMb: () => functionKb / 1_024,
    workerdMb: () => workerdKb / 1_024,
  };
}

/** The most it ever held, as the kernel counts; 0 once it is gone. */
function peakKb(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readProc(pid, 'status'))?.[1] ?? 0);
}

function childrenNamed(name: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid))
    .filter((pid) => new RegExp(`^PPid:\\t${process.pid}$`, 'm').test(readProc(pid, 'status')))
    .filter((pid) => readProc(pid, 'comm').trim() === name);
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
