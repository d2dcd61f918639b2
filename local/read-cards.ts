/**
 * The cards of a folder of models: one folder a model, `card.json` in it. Owns finding and parsing them.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cardSchema, type Card } from '../shared/schema/card.ts';

/** By name. Folders without a card are no models. */
export async function readCards(modelsFolder: string): Promise<readonly Card[]> {
  const names = (await readdir(modelsFolder)).toSorted();
  const cards = await Promise.all(
    names.map(async (name) => {
      const text = await readFile(join(modelsFolder, name, 'card.json'), 'utf8').catch(() => undefined);
      return text === undefined ? [] : [cardSchema.parse(JSON.parse(text))];
    }),
  );
  return cards.flat();
}
