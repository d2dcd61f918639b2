// The same bits on every processor, whatever its relaxed dot products do with a byte above 127.

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { compileKernels } from '../../../worker/engine/compile-kernels.ts';
import type { Answers } from './logits-of-fixtures.ts';
import { answersOf } from './logits-of-fixtures.ts';

const PROGRAM = fileURLToPath(new URL('logits-of-fixtures.ts', import.meta.url));
const here = await answersOf();
const withoutRelaxed = await answersOf(await moduleWhere('0'));

function answersWith(...flags: string[]): Answers {
  return JSON.parse(execFileSync(process.execPath, [...flags, PROGRAM], { encoding: 'utf8' }));
}

/** The relaxed kernels with this in the place of the instruction. */
async function moduleWhere(dot: string): Promise<WebAssembly.Module> {
  const instruction = /i32x4\.relaxed_dot_i8x16_i7x16_add_s\((\w+), (\w+), ([\w.()]+)\)/g;
  let replaced = 0;
  const bytes = await compileKernels(true, (source) => {
    const changed = source.replaceAll(instruction, (_all, w: string, x: string, sum: string) => {
      replaced += 1;
      return dot === '0' ? 'i32x4.splat(0)' : `${dot}(${w}, ${x}, ${sum})`;
    });
    return changed === source || dot === '0' ? changed : `${changed}\n${FUNCTIONS}`;
  });
  expect(replaced).toBe(2);
  return new WebAssembly.Module(bytes);
}

/** What processors do, in instructions that do the same everywhere. */
const FUNCTIONS = `
// @ts-ignore: decorator
@inline
function pairs(low: v128, high: v128): v128 {
  return i32x4.add(v128.shuffle<i32>(low, high, 0, 2, 4, 6), v128.shuffle<i32>(low, high, 1, 3, 5, 7))
}
// @ts-ignore: decorator
@inline
function signedBytes(w: v128, x: v128, sum: v128): v128 {
  const low = i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(w), i16x8.extend_low_i8x16_s(x))
  const high = i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(w), i16x8.extend_high_i8x16_s(x))
  return i32x4.add(sum, pairs(low, high))
}
// @ts-ignore: decorator
@inline
function unsignedBytes(w: v128, x: v128, sum: v128): v128 {
  const low = i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(w), i16x8.extend_low_i8x16_u(x))
  const high = i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(w), i16x8.extend_high_i8x16_u(x))
  return i32x4.add(sum, pairs(low, high))
}
`;

describe('relaxed dot products', () => {
  it('of this processor give the bits of plain SIMD', () => {
    expect(withoutRelaxed.exactRelaxed).toBe(false);
    expect(here.bits).toEqual(withoutRelaxed.bits);
    expect(new Set(here.bits).size).toBeGreaterThan(20);
  });

  it.each(['signedBytes', 'unsignedBytes'])(
    'that take %s are found out, and give the same bits',
    async (dot) => {
      const { exactRelaxed, bits } = await answersOf(await moduleWhere(dot));
      expect(exactRelaxed).toBe(true);
      expect(bits).toEqual(here.bits);
    },
    60_000,
  );

  it.runIf(process.arch === 'x64')(
    'that saturate are found out and not used; fused multiplication changes nothing',
    () => {
      const { exactRelaxed, bits } = answersWith(
        '--no-enable-avx-vnni',
        '--no-enable-avx-vnni-int8',
        '--no-enable-fma3',
      );
      expect(exactRelaxed).toBe(false);
      expect(bits).toEqual(here.bits);
    },
  );
});
