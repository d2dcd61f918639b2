/**
 * The endpoint's name and its variant's. Fixed by the settings and not generated, so that permissions, alarms and the
 * worker can name the endpoint without depending on it: it can then be made or removed without touching them.
 */
import { deploymentName } from '../settings.ts';
import type { Settings } from '../settings.ts';

export const ENDPOINT_VARIANT = 'main';

export function endpointNameFor(settings: Settings): string {
  return `${deploymentName(settings)}-large`;
}
