/**
 * Where things are: cities that callers and points of presence stand in, AWS regions, and how far it is between them.
 * Coordinates and rounded populations of urban areas are public facts. Leaves out choosing among them.
 */
export type Spot = { readonly name: string; readonly latitude: number; readonly longitude: number };
export type City = Spot & { readonly millions: number };

const EARTH_RADIUS_KM = 6371;
/**
 * Round trip by distance, fitted (least median error) to 342 measured pairs of AWS regions: 3 ms and 15 ms per 1,000 km.
 * Half of the pairs lie within 13 % of it, nine in ten within 35 %. See data/SOURCE.md; --rtt takes a measured table.
 */
const RTT_BASE_MS = 3;
const RTT_MS_PER_KM = 0.015;

export function estimatedRttMs(from: Spot, to: Spot): number {
  return RTT_BASE_MS + RTT_MS_PER_KM * distanceKm(from, to);
}

function distanceKm(from: Spot, to: Spot): number {
  const radians = Math.PI / 180;
  const half = Math.sin(((to.latitude - from.latitude) * radians) / 2) ** 2;
  const turn = Math.sin(((to.longitude - from.longitude) * radians) / 2) ** 2;
  const across = Math.cos(from.latitude * radians) * Math.cos(to.latitude * radians) * turn;
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.sqrt(half + across));
}

function city(name: string, latitude: number, longitude: number, millions: number): City {
  return { name, latitude, longitude, millions };
}

function region(name: string, latitude: number, longitude: number): Spot {
  return { name, latitude, longitude };
}

export const REGIONS: readonly Spot[] = [
  region('us-east-1', 38.95, -77.45),
  region('eu-central-1', 50.11, 8.68),
  region('ap-northeast-1', 35.68, 139.69),
  region('us-west-2', 45.84, -119.7),
  region('ap-southeast-1', 1.35, 103.82),
  region('sa-east-1', -23.55, -46.63),
  region('eu-west-1', 53.35, -6.26),
  region('ap-south-1', 19.08, 72.88),
  region('ap-southeast-2', -33.87, 151.21),
  region('us-east-2', 39.96, -83),
  region('us-west-1', 37.35, -121.95),
  region('ca-central-1', 45.5, -73.6),
  region('eu-west-2', 51.5, -0.12),
  region('ap-northeast-2', 37.57, 126.98),
  region('ap-east-1', 22.32, 114.17),
  region('af-south-1', -33.92, 18.42),
];

export const CITIES: readonly City[] = [
  city('Tokyo', 35.68, 139.69, 37),
  city('Delhi', 28.61, 77.21, 32),
  city('Shanghai', 31.23, 121.47, 29),
  city('Sao Paulo', -23.55, -46.63, 22),
  city('Mexico City', 19.43, -99.13, 22),
  city('Cairo', 30.04, 31.24, 22),
  city('Mumbai', 19.08, 72.88, 21),
  city('Beijing', 39.9, 116.4, 21),
  city('Dhaka', 23.81, 90.41, 23),
  city('Osaka', 34.69, 135.5, 19),
  city('New York', 40.71, -74.01, 19),
  city('Karachi', 24.86, 67, 17),
  city('Buenos Aires', -34.6, -58.38, 15),
  city('Istanbul', 41.01, 28.98, 16),
  city('Kolkata', 22.57, 88.36, 15),
  city('Manila', 14.6, 120.98, 14),
  city('Lagos', 6.52, 3.38, 15),
  city('Rio de Janeiro', -22.91, -43.17, 14),
  city('Guangzhou', 23.13, 113.26, 14),
  city('Los Angeles', 34.05, -118.24, 13),
  city('Moscow', 55.76, 37.62, 13),
  city('Paris', 48.86, 2.35, 11),
  city('Bangkok', 13.76, 100.5, 11),
  city('Lima', -12.05, -77.04, 11),
  city('Jakarta', -6.21, 106.85, 11),
  city('Seoul', 37.57, 126.98, 10),
  city('London', 51.51, -0.13, 10),
  city('Chennai', 13.08, 80.27, 11),
  city('Bogota', 4.71, -74.07, 11),
  city('Nagoya', 35.18, 136.91, 10),
  city('Tehran', 35.69, 51.39, 9),
  city('Ho Chi Minh City', 10.82, 106.63, 9),
  city('Chicago', 41.88, -87.63, 9),
  city('Bengaluru', 12.97, 77.59, 13),
  city('Hong Kong', 22.32, 114.17, 7.6),
  city('Riyadh', 24.71, 46.68, 7.7),
  city('Baghdad', 33.31, 44.36, 7.7),
  city('Santiago', -33.45, -70.67, 6.9),
  city('Madrid', 40.42, -3.7, 6.7),
  city('Toronto', 43.65, -79.38, 6.4),
  city('Dallas', 32.78, -96.8, 6.5),
  city('Johannesburg', -26.2, 28.05, 6.2),
  city('Houston', 29.76, -95.37, 6.7),
  city('Singapore', 1.35, 103.82, 6),
  city('Miami', 25.76, -80.19, 6.2),
  city('Atlanta', 33.75, -84.39, 6),
  city('Philadelphia', 39.95, -75.17, 5.8),
  city('Barcelona', 41.39, 2.17, 5.7),
  city('Saint Petersburg', 59.93, 30.34, 5.5),
  city('Washington', 38.91, -77.04, 5.5),
  city('Melbourne', -37.81, 144.96, 5.2),
  city('Sydney', -33.87, 151.21, 5.1),
  city('Nairobi', -1.29, 36.82, 5.1),
  city('Casablanca', 33.57, -7.59, 3.9),
  city('Cape Town', -33.92, 18.42, 4.8),
  city('Berlin', 52.52, 13.4, 3.6),
  city('Montreal', 45.5, -73.57, 4.3),
  city('Rome', 41.9, 12.5, 4.3),
  city('Milan', 45.46, 9.19, 3.1),
  city('San Francisco', 37.77, -122.42, 3.3),
  city('Seattle', 47.61, -122.33, 3.5),
  city('Denver', 39.74, -104.99, 2.9),
  city('Tel Aviv', 32.09, 34.78, 4.4),
  city('Dubai', 25.2, 55.27, 3),
  city('Athens', 37.98, 23.73, 3.1),
  city('Lisbon', 38.72, -9.14, 3),
  city('Manchester', 53.48, -2.24, 2.8),
  city('Hamburg', 53.55, 9.99, 1.8),
  city('Vienna', 48.21, 16.37, 2),
  city('Warsaw', 52.23, 21.01, 1.8),
  city('Bucharest', 44.43, 26.1, 1.8),
  city('Kyiv', 50.45, 30.52, 3),
  city('Stockholm', 59.33, 18.07, 1.7),
  city('Copenhagen', 55.68, 12.57, 1.4),
  city('Helsinki', 60.17, 24.94, 1.3),
  city('Dublin', 53.35, -6.26, 1.3),
  city('Amsterdam', 52.37, 4.9, 1.2),
  city('Frankfurt', 50.11, 8.68, 2.3),
  city('Zurich', 47.38, 8.54, 1.4),
  city('Brussels', 50.85, 4.35, 2.1),
  city('Auckland', -36.85, 174.76, 1.7),
  city('Perth', -31.95, 115.86, 2.1),
  city('Honolulu', 21.31, -157.86, 1),
  city('Anchorage', 61.22, -149.9, 0.3),
  city('Reykjavik', 64.15, -21.94, 0.2),
];
