// The files of the edge's variants, in workerd.

import { expect, it } from 'vitest';
import { BUNDLED_VARIANTS } from '../../shared/config/edge-files.ts';
import { BUNDLED_WEIGHTS } from '../../worker/edge-models.ts';

it('bundles what the default configuration takes for bundled', () => {
  expect(Object.keys(BUNDLED_WEIGHTS).toSorted()).toEqual([...BUNDLED_VARIANTS].toSorted());
});
