/**
 * How long the way from here to a region is likely to be, before anything has been sent there. Owns where the regions of
 * AWS lie (public facts) and the estimate; what is observed replaces it (decide/estimate.ts).
 */
export type Coordinates = { readonly latitude: number; readonly longitude: number };

const EARTH_RADIUS_KM = 6371;
/**
 * Fitted (least median error) to 342 measured round trips between AWS regions: half of them lie within 13 % of it, nine in
 * ten within 35 %. See cli/simulate/data/SOURCE.md.
 */
const RTT_BASE_MS = 3;
const RTT_MS_PER_KM = 0.015;
const RADIANS = Math.PI / 180;

export function estimatedRttMs(from: Coordinates, to: Coordinates): number {
  return RTT_BASE_MS + RTT_MS_PER_KM * distanceKm(from, to);
}

/** Along the great circle. */
function distanceKm(from: Coordinates, to: Coordinates): number {
  const half = Math.sin(((to.latitude - from.latitude) * RADIANS) / 2) ** 2;
  const turn = Math.sin(((to.longitude - from.longitude) * RADIANS) / 2) ** 2;
  const across = Math.cos(from.latitude * RADIANS) * Math.cos(to.latitude * RADIANS) * turn;
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.sqrt(Math.min(1, half + across)));
}

function at(latitude: number, longitude: number): Coordinates {
  return { latitude, longitude };
}

export const REGION_COORDINATES: ReadonlyMap<string, Coordinates> = new Map([
  ['us-east-1', at(38.95, -77.45)],
  ['eu-central-1', at(50.11, 8.68)],
  ['ap-northeast-1', at(35.68, 139.69)],
  ['us-west-2', at(45.84, -119.7)],
  ['ap-southeast-1', at(1.35, 103.82)],
  ['sa-east-1', at(-23.55, -46.63)],
  ['eu-west-1', at(53.35, -6.26)],
  ['ap-south-1', at(19.08, 72.88)],
  ['ap-southeast-2', at(-33.87, 151.21)],
  ['us-east-2', at(39.96, -83)],
  ['us-west-1', at(37.35, -121.95)],
  ['ca-central-1', at(45.5, -73.6)],
  ['eu-west-2', at(51.5, -0.12)],
  ['eu-west-3', at(48.86, 2.35)],
  ['eu-north-1', at(59.33, 18.07)],
  ['eu-south-1', at(45.46, 9.19)],
  ['ap-northeast-2', at(37.57, 126.98)],
  ['ap-northeast-3', at(34.69, 135.5)],
  ['ap-east-1', at(22.32, 114.17)],
  ['me-south-1', at(26.07, 50.55)],
  ['af-south-1', at(-33.92, 18.42)],
]);
