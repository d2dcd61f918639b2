/**
 * One request's way through the pipeline: what is known so far, and the record written when it ends.
 * The only mutable thing of a request; steps read and extend it.
 */
import type { Plan } from '../../shared/decide/plan-types.ts';
import { gatewayCostNanos } from '../../shared/measure/pricing.ts';
import { inputCount } from '../../shared/schema/model-input.ts';
import type { TargetUsed } from '../../shared/schema/infer-result.ts';
import type { ConfigInForce, Target } from '../ports.ts';
import type { Execution } from './execute.ts';
import type { Caller } from './identify.ts';
import type { Incoming, Outcome } from './incoming.ts';
import type { ParsedRequest } from './parse.ts';
import { record } from './record.ts';
import type { Actual } from './respond.ts';
import type { Services } from './services.ts';

export class Trip {
  readonly #incoming: Incoming;
  readonly #services: Services;
  /** One configuration for the whole request, whatever is published meanwhile. */
  readonly inForce: ConfigInForce;
  readonly targets: ReadonlyMap<string, Target>;
  readonly gatewayCostNanos: number;
  /** Whatever chance decides about this request derives from it. */
  readonly random: number;
  caller: Caller | undefined;
  parsed: ParsedRequest | undefined;
  plan: Plan | undefined;
  execution: Execution | undefined;
  #hasBegun = false;

  constructor(incoming: Incoming, services: Services, inForce: ConfigInForce) {
    this.#incoming = incoming;
    this.#services = services;
    this.inForce = inForce;
    this.random = services.random();
    this.targets = services.targetsOf(this.inForce.config);
    this.gatewayCostNanos = gatewayCostNanos(this.inForce.config.gateway_price);
  }

  /** Call once its body is here: until then it is nobody's work, and uploads that never end must shed nobody. */
  begin(): void {
    this.#hasBegun = true;
    this.#services.state.requestStarted();
  }

  get requestId(): string {
    return this.#incoming.requestId;
  }

  mustHaveParsed(): ParsedRequest {
    if (this.parsed === undefined) throw new TypeError('a step that needs the request ran before it was parsed');
    return this.parsed;
  }

  get deadlineAtMs(): number {
    const { request, served } = this.mustHaveParsed();
    return this.#incoming.receivedAtMs + (request.requirements.latencyMs ?? served.route.default_deadline_ms);
  }

  actual(): Actual {
    return {
      requestId: this.#incoming.requestId,
      modelName: this.parsed?.request.modelName ?? '',
      configVersion: this.inForce.version,
      latencyMs: this.#latencyMs(),
      costNanos: this.execution?.costNanos ?? this.gatewayCostNanos,
      explain: this.parsed?.request.explain ?? false,
    };
  }

  /** The place of the last attempt, answered or not. */
  lastTarget(): TargetUsed | null {
    const last = this.execution?.attempts.at(-1);
    return last === undefined ? null : { kind: last.kind, id: last.target, region: last.region };
  }

  end(outcome: Outcome): Outcome {
    const { state, logger, sink, clock } = this.#services;
    // What was refused unread counts among what ends, too.
    if (!this.#hasBegun) this.begin();
    state.requestEnded(this.inForce.config.gateway_price.cpu_ms_per_request, clock.now());
    const actual = this.actual();
    const items = this.parsed === undefined ? 0 : inputCount(this.parsed.request.input);
    const result = outcome.kind === 'answered' ? outcome.result : undefined;
    const fromCache = result !== undefined && result.cache !== 'miss';
    record(
      {
        requestId: actual.requestId,
        tenant: this.caller?.tenant ?? 'unknown',
        route: this.parsed?.served.route.name ?? 'none',
        model: this.parsed?.served.model.name ?? 'none',
        protocol: this.#incoming.protocol,
        priority: this.parsed?.request.requirements.priority ?? 'normal',
        startedAtMs: this.#incoming.receivedAtMs,
        latencyMs: actual.latencyMs,
        cache: result?.cache ?? 'miss',
        attempts: this.execution?.attempts ?? [],
        items,
        edgeItems: fromCache ? items : (result?.items.filter((item) => item.target.kind === 'edge').length ?? 0),
        outcome: outcome.kind === 'answered' ? 'ok' : 'error',
        errorCode: outcome.kind === 'failed' ? outcome.error.code : null,
        costNanos: actual.costNanos,
        cloudOnlyCostNanos: result?.decision.cloudOnlyCostNanos ?? this.plan?.cloudOnlyCostNanos ?? 0,
        missed: result?.decision.missed ?? [],
        configVersion: actual.configVersion,
        ...(this.#incoming.trace === undefined ? {} : { trace: this.#incoming.trace }),
      },
      outcome.kind === 'failed' ? outcome.error.detail : undefined,
      logger,
      sink,
    );
    // One request of a window stays behind to put it away; none is delayed by it.
    const put = sink.flushWhenOver();
    if (put !== undefined) this.#incoming.keepAlive(put);
    return outcome;
  }

  #latencyMs(): number {
    return Math.max(0, this.#services.clock.now() - this.#incoming.receivedAtMs);
  }
}
