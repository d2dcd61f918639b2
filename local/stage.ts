/** `npm run stage`: what `wrangler dev` and `wrangler deploy` run before they read the script and the static assets. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { REPOSITORY_ROOT } from './bundle-worker.ts';
import { modelCardsSource } from './model-cards.ts';
import { readCards } from './read-cards.ts';
import { stageWeights } from './stage-weights.ts';

const models = join(REPOSITORY_ROOT, 'models');
const module = join(REPOSITORY_ROOT, 'worker/model-cards.ts');
await stageWeights(models, join(REPOSITORY_ROOT, 'public'));
const source = modelCardsSource(await readCards(models));
// Written only when it changed: wrangler watches it.
if ((await readFile(module, 'utf8').catch(() => '')) !== source) await writeFile(module, source);
