/**
 * Everything a hub does with its devices: greets them, refuses what is forged or played again, hands out work, answers what
 * they ask, keeps their thresholds and models as the configuration has them. Owns the conversation; the Durable Object
 * around it (device-hub.ts) owns sockets, storage and alarms, dispatcher.ts who gets which request.
 */
import { decodeFrame, takeSequence, type DeviceFrame } from '../../shared/device/frame.ts';
import { FrameError } from '../../shared/device/frame-error.ts';
import { TOKEN_BYTES, type DeviceMessage } from '../../shared/device/messages.ts';
import { dequantize, type DeviceTensor } from '../../shared/device/tensor.ts';
import { toHex } from '../../shared/hash/sha256.ts';
import { bytesFromHex, Dispatcher, type Failure } from './dispatcher.ts';
import type { DeviceRecord, HubAnswer, HubCall, HubItem } from './hub-port.ts';
import { bringUpToDate, modelAcknowledged, type PoolInForce } from './up-to-date.ts';
import { Questions, type Answering } from './questions.ts';
import { quantizeFor } from './quantize-input.ts';
import { Session, type DeviceSocket, type SessionState } from './session.ts';

export type HubOptions = {
  readonly now: () => number;
  readonly randomBytes: (count: number) => Uint8Array;
  readonly pool: (name: string) => Promise<PoolInForce | undefined>;
  /** What lets a device in now, `held` being what did; undefined: nothing does. */
  readonly admission: (deviceId: string, held: string) => Promise<string | undefined>;
  readonly answer: Answering;
  /** Kept beyond the connection, for the registry. */
  readonly keep: (record: DeviceRecord, token: string) => void;
  /** The token of a device's last connection, or undefined. */
  readonly lastToken: (deviceId: string) => Promise<string | undefined>;
  /** Public facts about a device's misbehaviour; never what it sent. */
  readonly warn: (message: string, deviceId: string) => void;
};

const HEARTBEAT_S = 20;
/** Two heartbeats missed and half of a third. */
const SILENT_AFTER_MS = HEARTBEAT_S * 2_500;
/** How long a device that left is expected back, before its pool counts as empty. */
const EXPECTED_BACK_MS = 5_000;
/** WebSocket close codes of our own: 4000 and up. */
const CLOSED = { protocol: 4_002, identity: 4_003, superseded: 4_001, silent: 4_008, unknownPool: 4_004 } as const;

export class Hub {
  readonly #options: HubOptions;
  readonly #sessions = new Map<DeviceSocket, Session>();
  readonly #dispatcher: Dispatcher;
  readonly #questions: Questions;
  readonly #pools = new Map<string, PoolInForce>();
  #lastDepartureMs = -Infinity;

  constructor(options: HubOptions) {
    this.#options = options;
    const [a = 0, b = 0, c = 0] = options.randomBytes(3);
    this.#dispatcher = new Dispatcher({
      now: options.now,
      sessions: () => this.#greeted(),
      isAwake: (session) => this.#isAwake(session),
      // Numbers of a hub that was restarted do not meet those it gave out before.
      firstRequest: (a << 16) | (b << 8) | c,
    });
    this.#questions = new Questions(options.answer);
  }

  /** A connection whose key has been checked, new or back from hibernation. */
  opened(socket: DeviceSocket, state: SessionState): void {
    this.#sessions.set(socket, new Session(socket, state));
  }

  async received(socket: DeviceSocket, bytes: Uint8Array): Promise<void> {
    const session = this.#sessions.get(socket);
    if (session === undefined) return;
    session.state.lastSeenMs = this.#options.now();
    try {
      const frame = decodeFrame(bytes);
      session.state.sequenceIn = takeSequence(session.state.sequenceIn, frame.sequence);
      await this.#take(session, frame);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      // One device's broken frames end its own connection, and nothing else.
      this.#options.warn(`closed a device's connection: ${error.code}`, session.state.deviceId);
      session.refuse(error.code, error.message);
      this.#close(session, error.code === 'wrong_identity' ? CLOSED.identity : CLOSED.protocol, error.code);
    } finally {
      if (this.#sessions.has(socket)) socket.save(session.state);
    }
  }

  closed(socket: DeviceSocket): void {
    const session = this.#sessions.get(socket);
    if (session !== undefined) this.#forget(session);
  }

  async infer(call: HubCall): Promise<HubAnswer> {
    const deadlineAtMs = this.#options.now() + call.timeoutMs;
    const model = (this.#pools.get(call.pool) ?? (await this.#refreshPool(call.pool)))?.model;
    if (model === undefined || model.name !== call.model) {
      return { kind: 'failed', reason: 'rejected', detail: 'this deployment carries no such device model' };
    }
    const absence = this.#absence(call.pool, model.sha256);
    if (absence !== undefined) return absence;
    let failure: Failure | undefined;
    const items: HubItem[] = [];
    await Promise.all(
      call.inputs.map(async (input, index) => {
        const tensor = quantizeFor(model, input);
        const work = { callId: call.id, pool: call.pool, modelSha256: model.sha256, tensor, deadlineAtMs };
        const result = await this.#dispatcher.submit(work);
        if (result.kind === 'answered') items[index] = result.item;
        else if (failure === undefined) {
          // A batch is answered whole or not at all, so nobody need go on with the rest.
          failure = result;
          this.#dispatcher.cancel(call.id);
        }
      }),
    );
    return failure ?? { kind: 'answered', items };
  }

  cancel(callId: string): void {
    this.#dispatcher.cancel(callId);
  }

  list(): readonly DeviceRecord[] {
    return [...this.#sessions.values()].filter(({ state }) => state.greeted).map((session) => session.record(true));
  }

  get connections(): number {
    return this.#sessions.size;
  }

  /** Call now and then: tells devices what has changed in the configuration, lets go of the silent and of the unwelcome. */
  async tick(): Promise<void> {
    for (const session of this.#sessions.values()) {
      if (!this.#isAwake(session)) this.#close(session, CLOSED.silent, 'silent');
    }
    for (const session of this.#sessions.values()) {
      const { deviceId, admission } = session.state;
      if ((await this.#options.admission(deviceId, admission)) === admission) continue;
      this.#options.warn('closed the connection of a device that is let in no more', deviceId);
      this.#close(session, CLOSED.identity, 'let in no more');
    }
    const pools = new Set([...this.#sessions.values()].map(({ state }) => state.pool));
    for (const pool of pools) await this.#refreshPool(pool);
    for (const session of this.#sessions.values()) {
      if (!session.state.greeted) continue;
      const { sequenceOut } = session.state;
      this.#bringUpToDate(session);
      if (session.state.sequenceOut !== sequenceOut) session.socket.save(session.state);
    }
    this.#dispatcher.pump();
  }

  async #take(session: Session, { message, request, deadlineMs }: DeviceFrame): Promise<void> {
    if (message.type === 'hello') return this.#greet(session, message);
    if (!session.state.greeted) throw new FrameError('unexpected', 'say hello first');
    switch (message.type) {
      case 'result':
        return this.#dispatcher.answered(session, request, {
          probabilities: dequantize(message.tensor),
          computeMs: message.computeUs / 1_000,
        });
      case 'error':
        return this.#dispatcher.refused(session, request, message.code);
      case 'ask':
        return this.#ask(session, request, deadlineMs, message.tensor);
      case 'load': {
        const { type: _type, ...load } = message;
        session.state.load = load;
        return this.#options.keep(session.record(true), session.state.token);
      }
      case 'credit':
        session.state.window = message.window;
        return this.#dispatcher.pump();
      case 'model_ack':
        return this.#modelAcknowledged(session, message);
      case 'welcome':
      case 'infer':
      case 'answer':
      case 'threshold':
      case 'model_offer':
      case 'model_chunk':
      case 'model_commit':
        throw new FrameError('unexpected', `a device does not send ${message.type}`);
    }
  }

  async #greet(session: Session, hello: Extract<DeviceMessage, { type: 'hello' }>): Promise<void> {
    const { state } = session;
    if (hello.deviceId !== state.deviceId) {
      throw new FrameError('wrong_identity', 'the id is not the one whose key opened the connection');
    }
    if (state.greeted) throw new FrameError('unexpected', 'hello was said already');
    const [pool, lastToken] = await Promise.all([
      this.#refreshPool(state.pool),
      this.#options.lastToken(state.deviceId),
    ]);
    if (pool === undefined) return this.#close(session, CLOSED.unknownPool, 'no such pool');
    // Gone while the configuration was looked up.
    if (!this.#sessions.has(session.socket)) return;
    const token = toHex(Uint8Array.from(hello.token));
    const resumed = lastToken !== undefined && token === lastToken;
    if (!resumed) this.#questions.forget(state.deviceId);
    for (const other of this.#sessions.values()) {
      if (other !== session && other.state.deviceId === state.deviceId) {
        this.#close(other, CLOSED.superseded, 'dialled again');
      }
    }
    Object.assign(state, {
      greeted: true,
      token: toHex(Uint8Array.from(this.#options.randomBytes(TOKEN_BYTES))),
      firmware: hello.firmware,
      modelName: hello.modelName,
      modelSha256: hello.modelName === '' ? '' : toHex(Uint8Array.from(hello.modelHash)),
      slotBytes: hello.slotBytes,
      ramBytes: hello.ramBytes,
      maxFrameBytes: hello.maxFrameBytes,
      window: hello.window,
      threshold: pool.threshold,
    } satisfies Partial<SessionState>);
    session.send({
      type: 'welcome',
      resumed,
      window: this.#questions.window,
      heartbeatS: HEARTBEAT_S,
      threshold: state.threshold,
      token: bytesFromHex(state.token),
    });
    this.#options.keep(session.record(true), state.token);
    this.#bringUpToDate(session);
    this.#dispatcher.pump();
  }

  async #ask(session: Session, request: number, deadlineMs: number, tensor: DeviceTensor): Promise<void> {
    const { deviceId, pool, tenant } = session.state;
    if (session.questions >= this.#questions.window) {
      return session.refuse('window_exceeded', `${session.questions} questions are open`, request);
    }
    session.questions += 1;
    const answer = await this.#questions.ask({ deviceId, pool, tenant, request, deadlineMs, tensor });
    session.questions -= 1;
    // A device that dialled again meanwhile gets it over its new connection.
    const current = [...this.#sessions.values()].find((it) => it.state.greeted && it.state.deviceId === deviceId);
    if (answer === undefined) current?.refuse('no_answer', 'the gateway found no answer in time', request);
    else current?.send({ type: 'answer', ...answer }, request);
    if (current !== undefined && current !== session) current.socket.save(current.state);
  }

  #modelAcknowledged(session: Session, ack: Extract<DeviceMessage, { type: 'model_ack' }>): void {
    const pool = this.#pools.get(session.state.pool);
    if (pool === undefined) return;
    const step = modelAcknowledged(session, pool, ack);
    if (step === 'refused') this.#options.warn('a device refused its model', session.state.deviceId);
    if (step !== 'committed') return;
    this.#options.keep(session.record(true), session.state.token);
    this.#dispatcher.pump();
  }

  #bringUpToDate(session: Session): void {
    const pool = this.#pools.get(session.state.pool);
    if (pool !== undefined) bringUpToDate(session, pool);
  }

  async #refreshPool(name: string): Promise<PoolInForce | undefined> {
    const pool = await this.#options.pool(name);
    if (pool === undefined) this.#pools.delete(name);
    else this.#pools.set(name, pool);
    return pool;
  }

  /** Why nobody can take it, where not even waiting would help. */
  #absence(pool: string, sha256: string): Extract<HubAnswer, { kind: 'failed' }> | undefined {
    let withoutModel = 0;
    for (const session of this.#greeted()) {
      if (session.state.pool !== pool || !this.#isAwake(session)) continue;
      if (session.state.modelSha256 === sha256) return undefined;
      withoutModel += 1;
    }
    if (withoutModel > 0) {
      const detail = `none of ${withoutModel} devices has taken its model yet`;
      return { kind: 'failed', reason: 'not_ready', detail, retryAfterMs: 1_000 };
    }
    if (this.#options.now() - this.#lastDepartureMs < EXPECTED_BACK_MS) return undefined;
    return { kind: 'failed', reason: 'not_ready', detail: 'no device is connected', retryAfterMs: 5_000, nobody: true };
  }

  *#greeted(): Iterable<Session> {
    for (const session of this.#sessions.values()) if (session.state.greeted) yield session;
  }

  #isAwake(session: Session): boolean {
    return session.lastSeenMs() + SILENT_AFTER_MS >= this.#options.now();
  }

  #close(session: Session, code: number, reason: string): void {
    session.socket.close(code, reason);
    this.#forget(session);
  }

  #forget(session: Session): void {
    if (!this.#sessions.delete(session.socket)) return;
    this.#lastDepartureMs = this.#options.now();
    if (session.state.greeted) this.#options.keep(session.record(false), session.state.token);
    this.#dispatcher.left(session);
  }
}
