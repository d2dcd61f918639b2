/**
 * A hub over the worker's own services. Owns putting the two together; loaded when the first device or request needs it.
 */
import type { Services } from '../pipeline/services.ts';
import { admitting } from './admission.ts';
import { answeringBy } from './answer-question.ts';
import { deviceModel } from './device-models.ts';
import { Hub, type HubOptions } from './hub.ts';
import { poolSettings, thresholdOf } from './pool-settings.ts';

type Platform = Pick<HubOptions, 'keep' | 'lastToken'> & { readonly keepAlive: (work: Promise<unknown>) => void };

export function openHub(services: Services, { keepAlive, ...platform }: Platform): Hub {
  return new Hub({
    ...platform,
    now: () => services.clock.now(),
    randomBytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
    admission: admitting(services, keepAlive),
    answer: answeringBy(services, keepAlive),
    warn: (message, deviceId) => services.logger.log('warn', message, '', { device: deviceId }),
    async pool(name) {
      const { config } = await services.config.ready(keepAlive);
      const settings = poolSettings(config, name);
      if (settings === undefined) return undefined;
      const { route, model, variant } = settings;
      const standings = route.guarantee === undefined ? [] : services.guard.standings(route, model, keepAlive);
      return {
        threshold: thresholdOf(settings, standings),
        model: await deviceModel(`${model.name}/${variant}`),
      };
    },
  });
}
