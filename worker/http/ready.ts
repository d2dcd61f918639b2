/**
 * `GET /readyz`: what the gateway can reach, which configuration is in force since when, whether keys are asked for.
 * Checks are cheap and bounded; no target is paid for an answer.
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

export async function readiness(services: Services): Promise<{ ready: boolean; body: Record<string, unknown> }> {
  await services.config.refresh();
  const status = services.config.status();
  const nowMs = services.clock.now();
  const targets = await Promise.all(
    [...services.targetsOf(status.config).values()].map(async (target) => ({
      id: target.spec.id,
      kind: target.spec.endpoint.kind,
      region: target.spec.region,
      enabled: target.spec.enabled,
      ...(await reach(target)),
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

async function reach(target: Target): Promise<{ reachable: boolean; detail: string }> {
  if (target.unreachable !== undefined) return { reachable: false, detail: target.unreachable };
  const { ok, detail } = await target.check(AbortSignal.timeout(CHECK_TIMEOUT_MS));
  return { reachable: ok, detail };
}
