/**
 * What the benchmark and its helper processes say to each other. Types only.
 */

export type LoadJob = {
  readonly port: number;
  /** JSON bodies, sent in turn. */
  readonly bodies: readonly string[];
  /** Default /v1/infer. */
  readonly path?: string;
  /** Makes every body differ in characters that no model reads, so that no cache knows it. */
  readonly unique: boolean;
  readonly connections: number;
  readonly durationMs: number;
  /** Header lines that every answer must have, or it counts as wrong: a fast error is no figure. */
  readonly expectHeaders: readonly string[];
};

export type LoadResult = {
  readonly requests: number;
  readonly elapsedMs: number;
  readonly wrong: number;
  /** The first answer that was wrong, or null. */
  readonly firstWrong: string | null;
};

/** Replaced in each body when `unique` is set. */
export const STAMP = '@@STAMP@@';
