/**
 * Keeps a device's threshold and model as the configuration has them. Owns what to send for that, given what the device
 * holds and what it has acknowledged; when to look is the hub's.
 */
import { FrameError } from '../../shared/device/frame-error.ts';
import type { DeviceMessage } from '../../shared/device/messages.ts';
import { toHex } from '../../shared/hash/sha256.ts';
import { bytesFromHex } from './dispatcher.ts';
import { chunkFor, offerOf, type DeviceModel } from './model-update.ts';
import type { Session } from './session.ts';

/** What the hub goes by for one pool, as of the configuration in force. */
export type PoolInForce = {
  readonly threshold: number;
  /** Undefined where this deployment carries none for the pool. */
  readonly model: DeviceModel | undefined;
};

export function bringUpToDate(session: Session, { threshold, model }: PoolInForce): void {
  const { state } = session;
  if (Math.fround(threshold) !== Math.fround(state.threshold)) {
    state.threshold = threshold;
    session.send({ type: 'threshold', threshold });
  }
  if (model === undefined || state.modelSha256 === model.sha256 || state.offeredSha256 === model.sha256) return;
  state.offeredSha256 = model.sha256;
  session.send(offerOf(model, state.maxFrameBytes));
}

/** @throws FrameError where the device asks for what is not there */
export function modelAcknowledged(
  session: Session,
  pool: PoolInForce,
  ack: Extract<DeviceMessage, { type: 'model_ack' }>,
): 'under_way' | 'committed' | 'refused' {
  const { state } = session;
  const { model } = pool;
  if (model === undefined || state.offeredSha256 !== model.sha256) {
    bringUpToDate(session, pool);
    return 'under_way';
  }
  // About an offer that has been replaced by another.
  if (toHex(Uint8Array.from(ack.modelHashPrefix)) !== model.sha256.slice(0, 8)) return 'under_way';
  switch (ack.state) {
    case 'wants': {
      const chunk = chunkFor(model, ack.nextOffset, state.maxFrameBytes);
      if (chunk === undefined) throw new FrameError('bad_payload', 'an offset outside the model');
      session.send(chunk);
      return 'under_way';
    }
    case 'complete':
      session.send({ type: 'model_commit', modelHash: bytesFromHex(model.sha256) });
      return 'under_way';
    case 'corrupt':
      session.send(offerOf(model, state.maxFrameBytes));
      return 'under_way';
    case 'committed':
      Object.assign(state, { modelName: model.name, modelSha256: model.sha256, offeredSha256: '' });
      return 'committed';
    case 'refused':
      // Stays offered, so that it is not offered again before the model changes.
      return 'refused';
  }
}
