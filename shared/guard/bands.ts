/**
 * Where the bands of accepted confidence lie, by which an audited shortcut is tightened step by step.
 */
import type { CalibrationPair } from './calibrate.ts';

/** Share of the accepted calibration answers below each edge: fine where drifts show first, at the bottom. */
const SHARES_BELOW = [0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75] as const;

/** Lower edges, ascending, the first being the threshold. Fewer where confidences tie. */
export function bandEdges(pairs: readonly CalibrationPair[], threshold: number): readonly number[] {
  const accepted = pairs
    .map((pair) => pair.confidence)
    .filter((confidence) => confidence >= threshold)
    .sort((a, b) => a - b);
  const edges = [threshold];
  for (const share of SHARES_BELOW.slice(1)) {
    const edge = accepted[Math.floor(share * accepted.length)];
    if (edge !== undefined && edge > (edges.at(-1) ?? 0)) edges.push(edge);
  }
  return edges;
}
