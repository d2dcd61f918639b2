/**
 * A .hyb file in the engine as the worker runs it, with what the command line wants to know of its header.
 */
import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { openContainer } from '../../worker/engine/container.ts';
import { createEngine } from '../../worker/engine/engine.ts';
import type { EngineModel } from '../../worker/engine/model.ts';
import { UserError } from '../user-error.ts';
import { readUserFile } from './examples.ts';

const tensorSchema = z.object({ dtype: z.string(), shape: z.array(z.number()), offset: z.number(), bytes: z.number() });
const headerSchema = z.object({
  input: z.union([
    z.object({ kind: z.literal('text'), max_chars: z.number() }),
    z.object({ kind: z.literal('image'), height: z.number(), width: z.number(), channels: z.number() }),
  ]),
  /** Null for an embedding. */
  calibration: z.object({ temperature: z.number() }).nullable(),
  tokenizer: z
    .object({
      kind: z.string(),
      vocabulary: z.string().optional(),
      lowercase: z.boolean().optional(),
      max_tokens: z.number().optional(),
    })
    .optional(),
  graph: z.array(z.looseObject({ op: z.string() })),
  tensors: z.record(z.string(), tensorSchema),
});

export type EdgeModel = {
  readonly model: EngineModel;
  readonly header: z.infer<typeof headerSchema>;
  readonly digest: string;
  readonly wordPieces: { pieces: readonly string[]; lowercase: boolean; maxTokens: number } | null;
};

function kernels(name: string): WebAssembly.Module {
  return new WebAssembly.Module(readFileSync(new URL(`../../worker/engine/${name}.wasm`, import.meta.url)));
}

export async function loadEdgeModel(bytes: Uint8Array<ArrayBuffer>): Promise<EdgeModel> {
  const engine = createEngine({ wasm: kernels('kernels'), relaxedWasm: kernels('kernels-relaxed') });
  const model = await engine.loadModel(bytes.buffer);
  const { header: json, payload } = await openContainer(bytes.buffer);
  const header = headerSchema.parse(json);
  const digest = Buffer.from(bytes.subarray(16, 48)).toString('hex');
  return { model, header, digest, wordPieces: wordPiecesOf(header, payload) };
}

export async function openEdgeModel(file: string): Promise<EdgeModel> {
  if (!file.endsWith('.hyb')) throw new UserError(`${file} is not a .hyb file.`);
  return loadEdgeModel(Uint8Array.from(await readUserFile(file)));
}

function wordPiecesOf({ tokenizer, tensors }: EdgeModel['header'], payload: Uint8Array): EdgeModel['wordPieces'] {
  const tensor = tensors[tokenizer?.vocabulary ?? ''];
  if (tokenizer?.kind !== 'wordpiece' || tensor === undefined) return null;
  const text = Buffer.from(payload.subarray(tensor.offset, tensor.offset + tensor.bytes)).toString('utf8');
  return { pieces: text.split('\n'), lowercase: tokenizer.lowercase ?? true, maxTokens: tokenizer.max_tokens ?? 64 };
}
