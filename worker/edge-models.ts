/**
 * The weights bundled with the worker: which file serves which model and variant. Loading and checking is the engine's.
 */
import digitsCard from '../models/digits/card.json';
import digitsMicro from '../models/digits/micro.hyb';
import intentCard from '../models/intent/card.json';
import intentMicro from '../models/intent/micro.hyb';
import { cardSchema, type Card } from '../shared/schema/card.ts';

/** Weights by `model/variant`. */
export const BUNDLED_WEIGHTS: Readonly<Record<string, ArrayBuffer>> = {
  'digits/micro': digitsMicro,
  'intent/micro': intentMicro,
};

export function bundledCards(): readonly Card[] {
  return [cardSchema.parse(intentCard), cardSchema.parse(digitsCard)];
}
