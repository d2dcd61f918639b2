/** `hybrid models device` makes the shipped file again, byte for byte, and says what became of the answers. */
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { makeDeviceModel } from '../../cli/models/device-model.ts';
import { REPOSITORY_ROOT } from '../../local/bundle-worker.ts';

it('makes the shipped device model again from the edge model and the sample images', { timeout: 60_000 }, async () => {
  const out = join(tmpdir(), `device-${process.pid}.hymc`);
  const folder = join(REPOSITORY_ROOT, 'models/digits');
  const images = join(folder, 'report-sample/images-idx3-ubyte.gz');
  try {
    const { text, value } = await makeDeviceModel(join(folder, 'micro.hyb'), { images, out, calibration: 300 });
    expect(await readFile(out)).toEqual(await readFile(join(folder, 'device.hymc')));
    expect(value).toMatchObject({ compared: 500, same_label: 500 });
    expect(text).toContain('same label on 500 of 500 other images');
  } finally {
    await rm(out, { force: true });
  }
});
