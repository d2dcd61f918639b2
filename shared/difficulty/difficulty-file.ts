/** The file of the difficulty estimate among the static assets. A test compares it with what `models/difficulty` holds. */
import type { WeightsFile } from '../schema/weights.ts';

export const DIFFICULTY_FILE: WeightsFile = {
  weights: { kind: 'asset', path: 'difficulty/uplift.hyd' },
  size_bytes: 262_316,
  sha256: '257c33b129a2ad643222b962ddce2bdd0ade6f8fb23308fd56ab8fa52858ad4e',
};
