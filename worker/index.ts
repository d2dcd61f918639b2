/**
 * Entry point of the worker: fetch, scheduled and the Durable Object's class, nothing else. Services live as long as the isolate.
 */
import type { Hono } from 'hono';
import { createApp } from './app.ts';
import { servicesOnce } from './services.ts';

export { DeviceHub } from './devices/device-hub.ts';

let app: Pick<Hono, 'fetch'> | undefined;

export default {
  fetch(request, env, context) {
    if (app === undefined) {
      const { colo, latitude, longitude } = request.cf ?? {};
      const { state } = servicesOnce(env);
      if (typeof colo === 'string') state.place = colo;
      if (typeof latitude === 'string' && typeof longitude === 'string')
        state.location = { latitude: Number(latitude), longitude: Number(longitude) };
      app = createApp(servicesOnce(env));
    }
    return app.fetch(request, undefined, context);
  },
  /** Keeps the configuration fresh and empties the metrics window of an isolate that no request wakes. */
  async scheduled(_event, env) {
    const { config, sink, guard } = servicesOnce(env);
    await config.refresh();
    await guard.flush();
    await sink.flush(true);
  },
} satisfies ExportedHandler;
