/**
 * Which short runs of characters a text holds, each once, as buckets of a hash. Case, width and compatibility forms do not
 * count; spaces, marks and digits do, because a formula or a list of answers tells more of a question than its words.
 */
import { fmix32 } from '../hash/fmix32.ts';

export type GramSpec = {
  /** There are 2 ** bits buckets. */
  readonly bits: number;
  /** Sizes in UTF-16 code units, the smallest and the largest. */
  readonly sizes: readonly [number, number];
  /** Only so many code units of a text are read, so that no text costs much. */
  readonly max_chars: number;
};

/** `ids[0..count)`, in the order they first came up. Valid until the next call of the same function. */
export type GramSet = { readonly ids: Uint32Array; readonly count: number };

// FNV-1a's, as in shared/hash/fnv1a.ts: a module's own constants go into its loops.
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

export function createTextGrams({ bits, sizes, max_chars: maxChars }: GramSpec): (text: string) => GramSet {
  const [smallest, largest] = sizes;
  const mask = 2 ** bits - 1;
  // A bit for each bucket; only those of the last text are ever set.
  const seen = new Uint8Array(2 ** Math.max(0, bits - 3));
  const ids = new Uint32Array(maxChars * (largest - smallest + 1));
  const units = new Uint16Array(maxChars);

  return (text) => {
    const normal = normalized(text.slice(0, maxChars));
    // A normal form can be longer than what it is of.
    const length = Math.min(normal.length, maxChars);
    for (let i = 0; i < length; i += 1) units[i] = normal.charCodeAt(i);
    let count = 0;
    for (let start = 0; start + smallest <= length; start += 1) {
      const end = Math.min(length, start + largest);
      let hash = FNV_OFFSET;
      for (let i = start; i < end; i += 1) {
        const unit = units[i] ?? 0;
        hash = Math.imul(hash ^ (unit & 255), FNV_PRIME);
        if (unit > 255) hash = Math.imul(hash ^ (unit >> 8), FNV_PRIME);
        if (i - start + 1 < smallest) continue;
        const id = fmix32(hash) & mask;
        const bit = 1 << (id & 7);
        const byte = seen[id >> 3] ?? 0;
        if ((byte & bit) !== 0) continue;
        seen[id >> 3] = byte | bit;
        ids[count] = id;
        count += 1;
      }
    }
    for (let i = 0; i < count; i += 1) seen[(ids[i] ?? 0) >> 3] = 0;
    return { ids, count };
  };
}

/** Plain ASCII skips the normal form, which cannot change it. */
function normalized(text: string): string {
  for (let i = 0; i < text.length; i += 1) if (text.charCodeAt(i) > 0x7f) return text.normalize('NFKC').toLowerCase();
  return text.toLowerCase();
}
