/**
 * How large an input is, as decisions see it: the characters rules look at, the bytes it would be sent upstream with.
 */
import type { ModelInput } from '../../shared/schema/model-input.ts';

/** Of the longest text. */
export function inputChars(input: ModelInput): number | undefined {
  switch (input.kind) {
    case 'text':
      return input.texts.reduce((most, text) => Math.max(most, text.length), 0);
    case 'chat':
      return input.messages.reduce((total, { content }) => total + content.length, 0);
    case 'image':
    case 'numbers':
    case 'tensors':
      return undefined;
  }
}

const ENVELOPE_BYTES = 256;

/** As it would be sent upstream: UTF-8 JSON for text (escapes included, at worst), base64 float32 for pixels and numbers. */
export function inputBytes(input: ModelInput): number {
  switch (input.kind) {
    case 'text':
      return input.texts.reduce((total, text) => total + textBytes(text), ENVELOPE_BYTES);
    case 'image':
      return ENVELOPE_BYTES + base64FloatBytes(input.images.length * input.height * input.width * input.channels);
    case 'numbers':
      return ENVELOPE_BYTES + base64FloatBytes(input.rows.length * input.size);
    case 'tensors':
      return input.tensors.reduce((total, tensor) => total + tensor.bytes.byteLength, ENVELOPE_BYTES);
    case 'chat':
      return input.messages.reduce((total, { content }) => total + textBytes(content), ENVELOPE_BYTES);
  }
}

function textBytes(text: string): number {
  return 3 * text.length + 3;
}

function base64FloatBytes(count: number): number {
  return Math.ceil((count * Float32Array.BYTES_PER_ELEMENT) / 3) * 4;
}
