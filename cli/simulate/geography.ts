/**
 * Which points of presence and regions take part, and the round trip between each two. Owns drawing the cities and reading
 * a measured table; the estimate by distance is in shared/measure/distance.ts.
 */
import { parse } from 'csv-parse/sync';
import { readMaybeGzipped } from '../../local/data/read-labelled-text.ts';
import { UserError } from '../user-error.ts';
import { estimatedRttMs, REGION_COORDINATES, type Coordinates } from '../../shared/measure/distance.ts';
import { CITIES } from './cities.ts';
import { logNormal, weightedPicker } from './random.ts';

export type Geography = {
  readonly pops: readonly string[];
  /** Share of requests that enter at each. */
  readonly weights: readonly number[];
  readonly regions: readonly string[];
  /** Where each stands; undefined where only a measured table knows it. */
  readonly coordinates: readonly (Coordinates | undefined)[];
  /** By point of presence, then region. */
  readonly rttMs: readonly (readonly number[])[];
};

export type GeographyOptions = {
  readonly pops: number;
  readonly regions: readonly string[];
  /** `population`: larger cities are likelier to have a point of presence, and more requests enter there. */
  readonly sampling: 'population' | 'uniform';
  /** A measured table: cities in the first column, regions in the others, milliseconds. */
  readonly rttFile: string | undefined;
  readonly random: () => number;
};

/** The first `count` of the list: one on each continent first. */
export function firstRegions(count: number): readonly string[] {
  return [...REGION_COORDINATES.keys()].slice(0, count);
}

export async function createGeography(options: GeographyOptions): Promise<Geography> {
  const measured = options.rttFile === undefined ? undefined : await readRtt(options.rttFile, options.regions);
  const cities = measured ?? estimated(options.regions, options.random);
  if (options.pops > cities.length)
    throw new UserError(`There are ${cities.length} cities to choose from, and ${options.pops} are asked for.`);
  const chosen = drawCities(cities, options);
  return {
    pops: chosen.map(({ name }) => name),
    weights: chosen.map(({ millions }) => (options.sampling === 'population' ? millions : 1)),
    regions: options.regions,
    coordinates: chosen.map(({ at }) => at),
    rttMs: chosen.map(({ rttMs }) => rttMs),
  };
}

type Candidate = {
  readonly name: string;
  readonly millions: number;
  readonly at: Coordinates | undefined;
  readonly rttMs: readonly number[];
};

/** Real routes are longer or shorter than the distance says: half of the measured pairs by more than 13 %. */
const ROUTE_SPREAD = { p50Ms: 1, p95Ms: 1.37 };

function estimated(regionNames: readonly string[], random: () => number): readonly Candidate[] {
  const regions = regionNames.map((name) => {
    const known = REGION_COORDINATES.get(name);
    if (known === undefined)
      throw new UserError(`Where ${name} lies is not known; known are ${[...REGION_COORDINATES.keys()].join(', ')}.`);
    return known;
  });
  return CITIES.map((city) => ({
    name: city.name,
    millions: city.millions,
    at: city,
    rttMs: regions.map((region) => estimatedRttMs(city, region) * logNormal(ROUTE_SPREAD, random())),
  }));
}

/** "Tokyo Japan, Eurasia" is the Tokyo whose population is known; a city that is not known counts as a small one. */
async function readRtt(file: string, regions: readonly string[]): Promise<readonly Candidate[]> {
  const rows: Record<string, string>[] = parse((await readMaybeGzipped(file)).toString('utf8'), { columns: true });
  const [first] = rows;
  const cityColumn = Object.keys(first ?? {})[0];
  const missing = regions.find((name) => first === undefined || !(name in first));
  if (cityColumn === undefined || missing !== undefined)
    throw new UserError(`${file} has no column for the region ${missing ?? ''}.`);
  // A city that stands in for a region was never measured against itself: it takes no part.
  return rows.flatMap((row): Candidate[] => {
    const name = row[cityColumn] ?? '';
    const rttMs = regions.map((region) => Number(row[region]));
    if (!rttMs.every((ms) => ms > 0)) return [];
    const city = CITIES.find((known) => name.startsWith(`${known.name} `));
    return [{ name, millions: city?.millions ?? SMALL_CITY, at: city, rttMs }];
  });
}

const SMALL_CITY = 0.5;

/** Without putting back. */
function drawCities(cities: readonly Candidate[], { pops, sampling, random }: GeographyOptions): readonly Candidate[] {
  const left = [...cities];
  const chosen: Candidate[] = [];
  while (chosen.length < pops) {
    const pick = weightedPicker(left.map(({ millions }) => (sampling === 'population' ? millions : 1)));
    chosen.push(...left.splice(pick(random()), 1));
  }
  return chosen;
}
