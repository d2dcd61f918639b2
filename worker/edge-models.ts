/**
 * The weights bundled with the worker: which file serves which model and variant. Loading and checking is the engine's.
 */
import bankingMicro from '../models/banking/micro.hyb';
import digitsMicro from '../models/digits/micro.hyb';
import intentMicro from '../models/intent/micro.hyb';

/** Weights by `model/variant`. */
export const BUNDLED_WEIGHTS: Readonly<Record<string, ArrayBuffer>> = {
  'banking/micro': bankingMicro,
  'digits/micro': digitsMicro,
  'intent/micro': intentMicro,
};
