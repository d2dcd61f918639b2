/**
 * An input as the pool's model wants it: integers with the scale and zero point that the model's own header states.
 */
import type { DeviceTensor } from '../../shared/device/tensor.ts';
import type { DeviceModel } from './model-update.ts';

const utf8 = new TextEncoder();

export function quantizeFor(model: DeviceModel, input: Float32Array | string): DeviceTensor {
  if (typeof input === 'string') {
    const data = utf8.encode(input);
    return { scale: 1, zeroPoint: 0, shape: [data.length], data };
  }
  // Offsets of shared/device/model-image.ts.
  const view = new DataView(model.bytes.buffer, model.bytes.byteOffset);
  const scale = view.getFloat32(24, true);
  const zeroPoint = view.getInt16(28, true);
  const shape = [view.getUint16(16, true), view.getUint16(18, true), view.getUint16(20, true)];
  const data = Int8Array.from(input, (value) => Math.min(127, Math.max(-128, Math.round(value / scale) + zeroPoint)));
  return { scale, zeroPoint, shape, data };
}
