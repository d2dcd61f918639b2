/**
 * The C client without a network: it computes what the TypeScript oracle does, integer for integer, and hostile bytes do it no
 * harm under the sanitizers. Skipped where this machine has no C compiler.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { randomFrom } from '../../cli/models/examples.ts';
import { compileClient } from '../../local/devices/compile-client.ts';
import { DEVICE_MODEL_FILE } from '../../local/devices/start-devices.ts';
import { readImage } from '../../shared/device/model-image.ts';
import { runImage } from '../../shared/device/run-image.ts';

const inference = compileClient('hybrid-infer');
const fuzzer = compileClient('fuzz');
const note = inference.kind === 'compiled' ? '' : ` (skipped: ${inference.why})`;

const golden: { rows: { name: string; pixels_base64: string; logits: { micro: number[] } }[] } = JSON.parse(
  readFileSync(new URL('../fixtures/digits-golden.json', import.meta.url), 'utf8'),
);
const image = readImage(new Uint8Array(readFileSync(DEVICE_MODEL_FILE)));

function infer(images: readonly Uint8Array[]): { logits: number[]; probabilities: number[] }[] {
  if (inference.kind !== 'compiled') throw new Error(inference.why);
  const { stdout, status } = spawnSync(inference.file, [DEVICE_MODEL_FILE], { input: Buffer.concat(images) });
  expect(status).toBe(0);
  return stdout
    .toString('utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const values = line.split(' ').map(Number);
      return { logits: values.slice(0, 10), probabilities: values.slice(10) };
    });
}

describe.skipIf(inference.kind !== 'compiled')(`the C client${note}`, () => {
  it('has the edge engine’s label on every golden image, with logits within 0.15', () => {
    const answers = infer(
      golden.rows.map(({ pixels_base64: pixels }) => Uint8Array.from(Buffer.from(pixels, 'base64'))),
    );
    golden.rows.forEach(({ name, logits: { micro } }, index) => {
      const logits = answers[index]?.logits ?? [];
      expect(logits.indexOf(Math.max(...logits)), name).toBe(micro.indexOf(Math.max(...micro)));
      logits.forEach((logit, label) => expect(Math.abs(logit - (micro[label] ?? NaN)), name).toBeLessThan(0.15));
    });
  });

  it('computes what the TypeScript device does: the same logits to the last bit, probabilities within 1/32767', () => {
    const random = randomFrom(5);
    const noise = Array.from({ length: 60 }, () => Uint8Array.from({ length: 784 }, () => Math.floor(256 * random())));
    infer(noise).forEach(({ logits, probabilities }, index) => {
      const expected = runImage(
        image,
        Int8Array.from(noise[index] ?? [], (byte) => byte - 128),
      );
      expect(logits.map(Math.fround)).toEqual([...expected.logits]);
      probabilities.forEach((share, label) => {
        expect(Math.abs(share - 32_767 * (expected.probabilities[label] ?? NaN))).toBeLessThanOrEqual(1);
      });
    });
  });

  it('takes hostile models, frames, handshakes and whole hubs without harm under the sanitizers', () => {
    if (fuzzer.kind !== 'compiled') throw new Error(fuzzer.why);
    const { stdout, stderr, status } = spawnSync(fuzzer.file, [DEVICE_MODEL_FILE, '1500', '20261124']);
    expect(stderr.toString('utf8')).toBe('');
    expect([status, stdout.toString('utf8')]).toEqual([0, '1500 rounds\n']);
  });
});
