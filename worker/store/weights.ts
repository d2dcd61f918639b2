/**
 * The bytes of a model's file: bundled with the script, among the static assets, or in R2. Owns fetching one file whole,
 * within its stated size and with its stated digest; leaves out who loads it, how often and what is kept.
 */
import type { WeightsFile } from '../../shared/schema/weights.ts';
import { ASSETS_FOLDER } from '../../shared/schema/assets.ts';
import { toHex } from '../../shared/hash/sha256.ts';
import type { AssetsBinding, BucketBinding } from '../ports.ts';

export type WeightsSources = {
  readonly bundled: Readonly<Record<string, ArrayBuffer>>;
  /** The binding ASSETS; undefined where this deployment has none. */
  readonly assets: AssetsBinding | undefined;
  /** The binding WEIGHTS, an R2 bucket. */
  readonly bucket: BucketBinding | undefined;
};

/** `weights_missing`: nothing is there; `weights_corrupt`: not what the registry says; `weights_unreachable`: cannot be told now. */
export type WeightsErrorCode = 'weights_missing' | 'weights_corrupt' | 'weights_unreachable';

export class WeightsError extends Error {
  readonly code: WeightsErrorCode;

  constructor(code: WeightsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'WeightsError';
    this.code = code;
  }
}

/** Rejects with a WeightsError; the buffer is the caller's own, unless the file is bundled. */
export type ReadWeights = (file: WeightsFile) => Promise<ArrayBuffer>;

/** Assets are asked by path; the host means nothing. */
const ASSETS_URL = `https://assets.invalid/${ASSETS_FOLDER}/`;

export function createWeightsReader(sources: WeightsSources): ReadWeights {
  function open({ weights, size_bytes: sizeBytes }: WeightsFile): Promise<ArrayBuffer> {
    switch (weights.kind) {
      case 'bundled':
        return Promise.resolve(sources.bundled[weights.path] ?? missing(`the script carries no ${weights.path}`));
      case 'asset':
        return readAsset(sources.assets, weights.path, sizeBytes);
      case 'r2':
        return readObject(sources.bucket, weights.path, sizeBytes);
    }
  }
  return async (file) => {
    const bytes = await reaching(file, () => open(file));
    checkSize(file.weights.path, bytes.byteLength, file.size_bytes);
    const digest = toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)));
    if (digest !== file.sha256) throw corrupt(`${file.weights.path} has another SHA-256 than the registry says`);
    return bytes;
  };
}

async function readAsset(assets: WeightsSources['assets'], path: string, sizeBytes: number): Promise<ArrayBuffer> {
  if (assets === undefined) return missing('this deployment has no assets (binding ASSETS)');
  const response = await assets.fetch(ASSETS_URL + path);
  if (response.status !== 200) {
    await response.body?.cancel();
    if (response.status === 404) return missing(`there is no asset ${path}`);
    throw new WeightsError('weights_unreachable', `the asset ${path} answered HTTP ${response.status}`);
  }
  const length = response.headers.get('content-length');
  // Before anything is read: a file of another size could be one of any size.
  if (length !== null) {
    if (Number(length) !== sizeBytes) await response.body?.cancel();
    checkSize(path, Number(length), sizeBytes);
    return response.arrayBuffer();
  }
  return readBounded(response, path, sizeBytes);
}

async function readObject(bucket: WeightsSources['bucket'], key: string, sizeBytes: number): Promise<ArrayBuffer> {
  if (bucket === undefined) return missing('this deployment has no bucket of weights (binding WEIGHTS)');
  const object = await bucket.get(key);
  if (object === null) return missing(`there is no object ${key} in the bucket of weights`);
  checkSize(key, object.size, sizeBytes);
  return object.arrayBuffer();
}

/** Straight into one buffer of the stated size; what does not fit ends the reading. */
async function readBounded(response: Response, path: string, sizeBytes: number): Promise<ArrayBuffer> {
  const whole = new Uint8Array(sizeBytes);
  const reader = response.body?.getReader();
  let length = 0;
  for (;;) {
    const part = await reader?.read();
    if (part?.value === undefined) break;
    if (length + part.value.byteLength > sizeBytes) {
      await reader?.cancel();
      throw corrupt(`${path} is longer than the ${sizeBytes} bytes the registry says`);
    }
    whole.set(part.value, length);
    length += part.value.byteLength;
  }
  checkSize(path, length, sizeBytes);
  return whole.buffer;
}

function checkSize(path: string, actualBytes: number, statedBytes: number): void {
  if (actualBytes !== statedBytes)
    throw corrupt(`${path} has ${actualBytes} bytes where the registry says ${statedBytes}`);
}

async function reaching(file: WeightsFile, open: () => Promise<ArrayBuffer>): Promise<ArrayBuffer> {
  try {
    return await open();
  } catch (cause) {
    if (cause instanceof WeightsError) throw cause;
    throw new WeightsError('weights_unreachable', `${file.weights.path} could not be read`, { cause });
  }
}

function missing(message: string): never {
  throw new WeightsError('weights_missing', message);
}

function corrupt(message: string): WeightsError {
  return new WeightsError('weights_corrupt', message);
}
