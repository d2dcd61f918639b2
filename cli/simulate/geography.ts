/**
 * Which points of presence and regions take part, and the round trip between each two. Owns drawing the cities and reading
 * a measured table; the estimate by distance is in places.ts.
 */
import { parse } from 'csv-parse/sync';
import { readMaybeGzipped } from '../../local/data/read-labelled-text.ts';
import { UserError } from '../user-error.ts';
import { CITIES, estimatedRttMs, REGIONS } from './places.ts';
import { weightedPicker } from './random.ts';

export type Geography = {
  readonly pops: readonly string[];
  /** Share of requests that enter at each. */
  readonly weights: readonly number[];
  readonly regions: readonly string[];
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
  return REGIONS.slice(0, count).map(({ name }) => name);
}

export async function createGeography(options: GeographyOptions): Promise<Geography> {
  const measured = options.rttFile === undefined ? undefined : await readRtt(options.rttFile, options.regions);
  const cities = measured ?? estimated(options.regions);
  if (options.pops > cities.length)
    throw new UserError(`There are ${cities.length} cities to choose from, and ${options.pops} are asked for.`);
  const chosen = drawCities(cities, options);
  return {
    pops: chosen.map(({ name }) => name),
    weights: chosen.map(({ millions }) => (options.sampling === 'population' ? millions : 1)),
    regions: options.regions,
    rttMs: chosen.map(({ rttMs }) => rttMs),
  };
}

type Candidate = { readonly name: string; readonly millions: number; readonly rttMs: readonly number[] };

function estimated(regionNames: readonly string[]): readonly Candidate[] {
  const regions = regionNames.map((name) => {
    const known = REGIONS.find((region) => region.name === name);
    if (known === undefined)
      throw new UserError(
        `Where ${name} lies is not known; known are ${REGIONS.map((region) => region.name).join(', ')}.`,
      );
    return known;
  });
  return CITIES.map((city) => ({
    name: city.name,
    millions: city.millions,
    rttMs: regions.map((region) => estimatedRttMs(city, region)),
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
  return rows.map((row, index) => {
    const name = row[cityColumn] ?? '';
    const rttMs = regions.map((region) => Number(row[region]));
    if (rttMs.some((ms) => !(ms > 0)))
      throw new UserError(`${file}: row ${index + 1} (${name}) has no positive round trip to every region.`);
    return { name, millions: CITIES.find((city) => name.startsWith(`${city.name} `))?.millions ?? SMALL_CITY, rttMs };
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
