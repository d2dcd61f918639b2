/**
 * Where the edge finds the files of a card's variants, by default: what the script carries is bundled, other files are
 * static assets up to their limit and objects in R2 above it. Cloud variants are packed with the model server: no entry.
 */
import type { Card, CardVariant } from '../schema/card.ts';
import type { ModelSpec } from '../schema/config.ts';
import type { WeightsSpec } from '../schema/weights.ts';
import { MAX_ASSET_BYTES } from '../schema/assets.ts';

/** What worker/edge-models.ts bundles into the script, as `model/variant`; a test compares the two. */
export const BUNDLED_VARIANTS: readonly string[] = ['banking/micro', 'digits/micro', 'intent/micro'];

type EdgeFiles = Pick<ModelSpec['variants'][number], 'weights' | 'onnx'>;

export function hasOnnxAtEdge(card: Card): boolean {
  return Object.values(card.variants).some(({ runtime }) => runtime === 'onnx_edge');
}

export function edgeFiles(card: Card, name: string, variant: CardVariant): EdgeFiles {
  if (variant.runtime === 'onnx') return {};
  const key = `${card.name}/${name}`;
  if (BUNDLED_VARIANTS.includes(key)) return { weights: { kind: 'bundled', path: key } };
  const weights = placed(card, variant.file, variant.size_bytes, variant.weights);
  return variant.runtime === 'engine' ? { weights } : { weights, onnx: onnxOf(card, variant) };
}

function placed(card: Card, file: string, sizeBytes: number, asked: CardVariant['weights']): WeightsSpec {
  return { kind: asked ?? (sizeBytes <= MAX_ASSET_BYTES ? 'asset' : 'r2'), path: `${card.name}/${file}` };
}

function onnxOf(card: Card, variant: CardVariant): NonNullable<EdgeFiles['onnx']> {
  const { tokenizer, onnx } = variant;
  return {
    temperature: variant.calibration?.temperature ?? 1,
    scores: onnx?.scores ?? 'logits',
    ...(onnx?.output === undefined ? {} : { output: onnx.output }),
    ...(tokenizer === undefined
      ? {}
      : {
          tokenizer: {
            kind: tokenizer.kind,
            lowercase: tokenizer.lowercase,
            max_tokens: tokenizer.max_tokens,
            vocabulary: {
              weights: placed(card, tokenizer.vocab, tokenizer.size_bytes ?? 0, variant.weights),
              // A card that does not say makes a configuration that is refused, with the field's name.
              size_bytes: tokenizer.size_bytes ?? 0,
              sha256: tokenizer.sha256 ?? '',
            },
          },
        }),
  };
}
