/**
 * A route with a guarantee, its model and the record of its first shortcut, for tests.
 */
import type { CalibrationRecord, GuaranteeSpec } from '../../../shared/guard/guarantee-schema.ts';
import type { ModelSpec, RouteSpec } from '../../../shared/schema/config.ts';
import { testConfig } from '../../worker/test-config.ts';

export const START_MS = 1_700_000_040_000;

export const record: CalibrationRecord = {
  id: 'c1',
  shortcut: 'micro',
  reference: 'large',
  model_version: '1.0.0',
  min_agreement: 0.97,
  confidence: 0.9,
  horizon_answers: 1_000,
  calibrated_at: new Date(START_MS).toISOString(),
  labels: 1_500,
  accepted: 1_300,
  disagreed: 20,
  coverage: 0.867,
  agreement_lower_bound: 0.978,
  threshold: 0.7,
  reason: null,
  band_edges: [0.7, 0.9],
};

export const guaranteed: GuaranteeSpec = {
  min_agreement: 0.97,
  confidence: 0.9,
  horizon_answers: 1_000,
  audit: { share: 0.02, max_per_minute: 60, false_alarm: 0.05 },
  calibrations: [record],
};

const config = testConfig();
const [firstModel] = config.models;
const [firstRoute] = config.routes;
if (firstModel === undefined || firstRoute === undefined) throw new Error('the test configuration has no route');

export const model: ModelSpec = firstModel;
export const route: RouteSpec = { ...firstRoute, guarantee: guaranteed };
