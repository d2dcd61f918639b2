/**
 * When requests arrive: read from a trace, stretched to the number asked for, with bursts put on top. Owns the file formats
 * and nothing of what a request is. Every trace becomes milliseconds since its first arrival, in order.
 */
import { parse } from 'csv-parse/sync';
import { readMaybeGzipped } from '../../local/data/read-labelled-text.ts';
import { UserError } from '../user-error.ts';

const MS_PER_MINUTE = 60_000;

export type Bursts = { readonly count: number; readonly factor: number; readonly lengthMs: number };

/**
 * Formats, told apart by their header: `gap_ms` (the shipped trace), `TIMESTAMP` (Azure LLM inference 2023),
 * `end_timestamp,duration` in seconds (Azure Functions 2021), and one column a minute (Azure Functions 2019).
 */
export async function readTrace(file: string, random: () => number): Promise<Float64Array> {
  let rows: Record<string, string>[];
  try {
    rows = parse((await readMaybeGzipped(file)).toString('utf8'), { columns: true, skip_empty_lines: true, bom: true });
  } catch (cause) {
    throw new UserError(`${file} cannot be read as CSV: ${messageOf(cause)}`, { cause });
  }
  const arrivals = arrivalsOf(rows, random, file).sort((a, b) => a - b);
  const first = arrivals[0];
  if (first === undefined) throw new UserError(`${file} holds no arrivals.`);
  return Float64Array.from(arrivals, (atMs) => atMs - first);
}

function arrivalsOf(rows: readonly Record<string, string>[], random: () => number, file: string): number[] {
  const [first] = rows;
  if (first === undefined) return [];
  if ('gap_ms' in first) {
    let atMs = 0;
    return rows.map((row, index) => (atMs += number(row['gap_ms'], file, index)));
  }
  if ('TIMESTAMP' in first) return rows.map((row, index) => timestamp(row['TIMESTAMP'], file, index));
  if ('end_timestamp' in first && 'duration' in first) {
    return rows.map(
      (row, index) => 1000 * (number(row['end_timestamp'], file, index) - number(row['duration'], file, index)),
    );
  }
  if ('1' in first && '1440' in first) return rows.flatMap((row, index) => perMinute(row, random, file, index));
  throw new UserError(
    `${file} has none of the known headers: gap_ms; TIMESTAMP; end_timestamp and duration; the minutes 1 to 1440.`,
  );
}

/** The counts of a minute say nothing of when within it. */
function perMinute(row: Record<string, string>, random: () => number, file: string, index: number): number[] {
  const arrivals: number[] = [];
  for (let minute = 1; minute <= 1440; minute += 1) {
    const count = number(row[String(minute)], file, index);
    for (let one = 0; one < count; one += 1) arrivals.push((minute - 1 + random()) * MS_PER_MINUTE);
  }
  return arrivals;
}

function timestamp(text: string | undefined, file: string, index: number): number {
  const atMs = Date.parse(`${text ?? ''}Z`);
  if (Number.isNaN(atMs)) throw new UserError(`${file}: row ${index + 1} has no time like 2023-11-16 18:15:46.680.`);
  return atMs;
}

function number(text: string | undefined, file: string, index: number): number {
  const value = Number(text ?? '');
  if (text === undefined || text === '' || !Number.isFinite(value) || value < 0)
    throw new UserError(`${file}: row ${index + 1} has "${text ?? ''}" where a number of 0 or more must be.`);
  return value;
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/**
 * As many arrivals as asked, over the same time and with the same ups and downs: each stands somewhere between two
 * neighbours of the trace.
 */
export function stretch(trace: Float64Array, count: number, random: () => number): Float64Array {
  if (count === trace.length) return trace;
  const arrivals = new Float64Array(count);
  for (let index = 0; index < count; index += 1) {
    const place = Math.floor((index * trace.length) / count);
    const from = trace[place] ?? 0;
    const to = trace[place + 1] ?? from;
    arrivals[index] = from + random() * (to - from);
  }
  return arrivals.sort();
}

/** `count` times, at random, the mean rate is raised by the factor for a while. */
export function addBursts(arrivals: Float64Array, bursts: Bursts, random: () => number): Float64Array {
  const spanMs = arrivals.at(-1) ?? 0;
  const extra = Math.round((arrivals.length / Math.max(1, spanMs)) * (bursts.factor - 1) * bursts.lengthMs);
  const more: number[] = [];
  for (let burst = 0; burst < bursts.count; burst += 1) {
    const startMs = random() * Math.max(0, spanMs - bursts.lengthMs);
    for (let one = 0; one < extra; one += 1) more.push(startMs + random() * bursts.lengthMs);
  }
  return Float64Array.from([...arrivals, ...more]).sort();
}
