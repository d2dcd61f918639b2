/**
 * What the simulated world takes for granted beyond what was measured, each with where it comes from. Everything a reader
 * may doubt stands here, in one place.
 */
import type { Spread } from './random.ts';

/** Of one round trip: `mdev` of the measured AWS pairs has a median of 0.43 ms. */
export const JITTER_MEAN_MS = 0.43;
/** A lost packet waits for Linux's least retransmission time-out. The rate is an assumption. */
export const LOSS_RATE = 0.001;
export const RETRANSMIT_MS = 200;

/** The gateway's own processor time for one request, parsing and answering included: `npm run bench`. */
export const GATEWAY_CPU_MS = 0.18;
/** An isolate that has not been there: `npm run bench`, once workerd listens. */
export const ISOLATE_START_MS = 20;
/** After so long without a request an isolate is taken for gone. Assumed. */
export const ISOLATE_IDLE_MS = 300_000;

/** Front door, authentication and routing of a warm call, within the region. Assumed. */
export const FUNCTION_OVERHEAD: Spread = { p50Ms: 6, p95Ms: 14 };
export const ENDPOINT_OVERHEAD: Spread = { p50Ms: 8, p95Ms: 18 };

/** Loading Node and the model server on Lambda. Assumed; billed, as Lambda bills initialization. */
export const FUNCTION_COLD_START: Spread = { p50Ms: 700, p95Ms: 1_500 };
/** Of SageMaker serverless: published accounts say 1 to 5 s. */
export const SERVERLESS_COLD_START: Spread = { p50Ms: 2_500, p95Ms: 5_000 };
/** An unused environment is kept so long. Assumed. */
export const ENVIRONMENT_IDLE_MS = 300_000;
/** AWS Lambda: 1,000 more environments every 10 s; 1,000 at once in a new account. */
export const ENVIRONMENTS_PER_WINDOW = 1_000;
export const SCALING_WINDOW_MS = 10_000;
export const FUNCTION_CONCURRENCY = 1_000;
/** SageMaker serverless: at most 200. */
export const SERVERLESS_CONCURRENCY = 200;
/** SageMaker serverless at 3 GB, the size that infra/settings.ts deploys: 0.00002 USD a GB-second, read in November 2026. */
export const SERVERLESS_USD_PER_SECOND = 0.000_06;

/** An instance of an endpoint takes minutes to start. Assumed. */
export const INSTANCE_START_MS = 240_000;
/** Scaling aims at this share of an instance's capacity. */
export const INSTANCE_TARGET_UTILIZATION = 0.5;
export const SCALING_PERIOD_MS = 60_000;
/** Shrinks only after so long below the need. infra/constructs/endpoint-scaling.ts */
export const SCALE_IN_AFTER_MS = 600_000;
