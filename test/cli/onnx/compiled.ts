// Owns compiling in tests with the options that most of them want.

import { readFileSync } from 'node:fs';
import type { CompileOptions } from '../../../cli/onnx/compile.ts';
import { compile } from '../../../cli/onnx/compile.ts';
import { OnnxError } from '../../../cli/onnx/onnx-error.ts';

export function fixture(name: string): string {
  return new URL(`../../fixtures/onnx/${name}`, import.meta.url).pathname;
}

export const PIECES = readFileSync(fixture('bert-vocab.txt'), 'utf8').trimEnd().split('\n');

const OPTIONS: CompileOptions = {
  model: 'tried',
  variant: 'edge',
  version: '1.0.0',
  labels: null,
  outOfScopeLabel: null,
  temperature: 1,
  maxChars: 1000,
  vocabulary: { pieces: PIECES, lowercase: true },
  output: null,
  maxTokens: null,
  image: null,
  range: null,
  precision: { bits: 8, arithmetic: 'auto' },
};

export function compiled(bytes: Uint8Array, options: Partial<CompileOptions> = {}): Uint8Array<ArrayBuffer> {
  return compile(bytes, { ...OPTIONS, ...options });
}

/** Why it cannot be compiled. */
export function refusal(bytes: Uint8Array): string {
  try {
    compiled(bytes);
  } catch (error) {
    return error instanceof OnnxError ? `${error.code}: ${error.message}` : `crashed: ${String(error)}`;
  }
  return 'compiled';
}
