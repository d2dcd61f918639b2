/**
 * The weights bundled with the worker: which file serves which model and variant. Loading and checking is the engine's.
 */
import bankingCard from '../models/banking/card.json';
import bankingMicro from '../models/banking/micro.hyb';
import digitsCard from '../models/digits/card.json';
import digitsMicro from '../models/digits/micro.hyb';
import intentCard from '../models/intent/card.json';
import intentMicro from '../models/intent/micro.hyb';
import type { Card } from '../shared/schema/card.ts';

/** Weights by `model/variant`. */
export const BUNDLED_WEIGHTS: Readonly<Record<string, ArrayBuffer>> = {
  'banking/micro': bankingMicro,
  'digits/micro': digitsMicro,
  'intent/micro': intentMicro,
};

/** Not parsed here, because building a schema costs a cold start more than answering does; a test parses every card. */
// oxlint-disable-next-line typescript/no-unsafe-type-assertion
export const BUNDLED_CARDS = [intentCard, bankingCard, digitsCard] as unknown as readonly Card[];
