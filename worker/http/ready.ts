/**
 * `GET /readyz`: what the gateway can reach, which configuration is in force since when, whether keys are asked for.
 * Checks are cheap and bounded; no target is paid for an answer. Where keys are asked for, this endpoint still is not, and each
 * check asks the table and every place: there it looks once a second at most, however often strangers ask.
 */
import { breakerVerdict } from '../../shared/resilience/breaker.ts';
import { doorOf, type Door } from '../pipeline/identify.ts';
import type { Target } from '../ports.ts';
import type { Services } from '../pipeline/services.ts';

const CHECK_TIMEOUT_MS = 1_000;

const AUTHENTICATION: Readonly<Record<Door, string>> = {
  keys: 'api_key',
  open: 'open: the configuration has no API keys',
  closed: 'closed: the stored configuration has not been loaded yet',
};

type Reached = { readonly reachable: boolean; readonly detail: string };
type Look = { atMs: number; readonly reached: ReadonlyMap<string, Reached> };

const LOOK_EVERY_MS = 1_000;
/** The last one of each isolate. */
const looks = new WeakMap<Services, Look>();

export async function readiness(services: Services): Promise<{ ready: boolean; body: Record<string, unknown> }> {
  const reached = await look(services);
  const status = services.config.status();
  const nowMs = services.clock.now();
  const targets = await Promise.all(
    [...services.targetsOf(status.config).values()].map(async (target) => ({
      id: target.spec.id,
      kind: target.spec.endpoint.kind,
      region: target.spec.region,
      enabled: target.spec.enabled,
      ...(reached.get(target.spec.id) ?? (await reach(target))),
      breaker: breakerVerdict(services.state.breakerOf(target.spec.id), nowMs),
    })),
  );
  const ready = targets.some((target) => target.enabled && target.reachable);
  return {
    ready,
    body: {
      ready,
      config: {
        version: status.version,
        source: status.source,
        description: status.config.description,
        in_force_since: new Date(status.inForceSinceMs).toISOString(),
        last_checked: status.lastCheckedMs === null ? null : new Date(status.lastCheckedMs).toISOString(),
        last_error: status.lastError,
      },
      authentication: AUTHENTICATION[doorOf(status, services.access)],
      in_flight: services.state.inFlight,
      targets,
    },
  };
}

async function look(services: Services): Promise<ReadonlyMap<string, Reached>> {
  const nowMs = services.clock.now();
  const last = looks.get(services);
  const isOpen = doorOf(services.config.status(), services.access) === 'open';
  if (!isOpen && last !== undefined && nowMs >= last.atMs && nowMs - last.atMs < LOOK_EVERY_MS) return last.reached;
  // Whoever asks meanwhile goes by the last look; should this request end before its look does, the next second has another.
  if (last !== undefined) last.atMs = nowMs;
  await services.config.refresh();
  const targets = [...services.targetsOf(services.config.status().config).values()];
  const reached = new Map(
    await Promise.all(targets.map(async (target) => [target.spec.id, await reach(target)] as const)),
  );
  looks.set(services, { atMs: services.clock.now(), reached });
  return reached;
}

async function reach(target: Target): Promise<Reached> {
  if (target.unreachable !== undefined) return { reachable: false, detail: target.unreachable };
  const { ok, detail } = await target.check(AbortSignal.timeout(CHECK_TIMEOUT_MS));
  return { reachable: ok, detail };
}
