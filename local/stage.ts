/** `npm run stage`: what `wrangler dev` and `wrangler deploy` run before they read the static assets. */
import { join } from 'node:path';
import { REPOSITORY_ROOT } from './bundle-worker.ts';
import { stageWeights } from './stage-weights.ts';

await stageWeights(join(REPOSITORY_ROOT, 'models'), join(REPOSITORY_ROOT, 'public'));
