/**
 * In CI, properties are checked with one fixed seed, so that a red gate is about the change and nothing else. Elsewhere
 * each run draws its own, and a failure prints the seed that reproduces it.
 */
import * as fc from 'fast-check';

const CI_SEED = 20_261_124;

if (process.env['CI'] === 'true') fc.configureGlobal({ seed: CI_SEED });
