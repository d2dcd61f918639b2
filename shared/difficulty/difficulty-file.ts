/** The file of the difficulty estimate among the static assets. A test compares it with what `models/difficulty` holds. */
import type { WeightsFile } from '../schema/weights.ts';

export const DIFFICULTY_FILE: WeightsFile = {
  weights: { kind: 'asset', path: 'difficulty/uplift.hyd' },
  size_bytes: 262_316,
  sha256: '947481216154e92534135fda2674a9ffc83d5b1dc87e46a6b99d17a8825dda0e',
};
