/**
 * The Durable Object that holds the connections of one shard of a pool. Owns what the platform gives: WebSockets that
 * outlive the object's sleep, storage, the alarm. What is said over the sockets is hub.ts, loaded when a device is there.
 */
import { DurableObject } from 'cloudflare:workers';
import { REQUEST_ID_HEADER } from '../../shared/names.ts';
import { servicesOnce } from '../services.ts';
import type { Hub } from './hub.ts';
import { DEVICE_HEADERS, type DeviceHubPort, type DeviceRecord, type HubAnswer, type HubCall } from './hub-port.ts';
import type { DeviceSocket, SessionState } from './session.ts';

/** How often a hub that nobody asks looks at the configuration. It sleeps in between, and sleep begins after ten quiet seconds. */
const TICK_MS = 60_000;
/** The one text message there is: the platform answers it without waking the object. */
const HEARTBEAT = 'h';

type KeptDevice = { readonly record: DeviceRecord; readonly token: string };

export class DeviceHub extends DurableObject implements Pick<DeviceHubPort, 'infer' | 'cancel' | 'list'> {
  readonly #sockets = new WeakMap<WebSocket, DeviceSocket>();
  #opening: Promise<Hub> | undefined;
  /** The configuration that devices were last brought up to. */
  #toldVersion = '';

  override async fetch(request: Request): Promise<Response> {
    const device = {
      id: request.headers.get(DEVICE_HEADERS.id) ?? '',
      pool: request.headers.get(DEVICE_HEADERS.pool) ?? '',
      tenant: request.headers.get(DEVICE_HEADERS.tenant) ?? '',
      admission: request.headers.get(DEVICE_HEADERS.admission) ?? '',
    };
    const hub = await this.#open();
    const { newSessionState } = await import('./session.ts');
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    const state = newSessionState(device, Date.now());
    server.serializeAttachment(state);
    hub.opened(this.#socketOf(server), state);
    await this.#scheduleTick();
    const requestId = request.headers.get(REQUEST_ID_HEADER) ?? '';
    return new Response(null, { status: 101, webSocket: client, headers: { [REQUEST_ID_HEADER]: requestId } });
  }

  override async webSocketMessage(webSocket: WebSocket, message: ArrayBuffer | string): Promise<void> {
    const hub = await this.#open();
    // Any other text is no frame: it ends the connection as one that is too short.
    const bytes = typeof message === 'string' ? new Uint8Array(0) : new Uint8Array(message);
    await hub.received(this.#socketOf(webSocket), bytes);
  }

  override async webSocketClose(webSocket: WebSocket): Promise<void> {
    (await this.#open()).closed(this.#socketOf(webSocket));
  }

  override async webSocketError(webSocket: WebSocket): Promise<void> {
    (await this.#open()).closed(this.#socketOf(webSocket));
  }

  override async alarm(): Promise<void> {
    const hub = await this.#open();
    await servicesOnce(this.env).config.refresh();
    await hub.tick();
    if (hub.connections > 0) await this.#scheduleTick();
  }

  async infer(call: HubCall): Promise<HubAnswer> {
    const hub = await this.#open();
    const { version } = servicesOnce(this.env).config.status();
    if (version !== this.#toldVersion) {
      this.#toldVersion = version;
      this.ctx.waitUntil(hub.tick());
    }
    return hub.infer(call);
  }

  async cancel(callId: string): Promise<void> {
    (await this.#open()).cancel(callId);
  }

  /** Also a moment to look at the configuration: who lists devices often wants to see what a publish did. */
  async list(): Promise<readonly DeviceRecord[]> {
    const hub = await this.#open();
    await servicesOnce(this.env).config.refresh();
    await hub.tick();
    const connected = hub.list();
    const ids = new Set(connected.map(({ deviceId }) => deviceId));
    const kept = await this.ctx.storage.list<KeptDevice>({ prefix: 'device:' });
    const away = [...kept.values()].filter(({ record }) => !ids.has(record.deviceId));
    return [...connected, ...away.map(({ record }) => ({ ...record, connected: false, inFlight: 0 }))];
  }

  #open(): Promise<Hub> {
    this.#opening ??= this.#wake();
    return this.#opening;
  }

  async #wake(): Promise<Hub> {
    const { openHub } = await import('./open-hub.ts');
    const services = servicesOnce(this.env);
    const hub = openHub(services, {
      keepAlive: (work) => this.ctx.waitUntil(work),
      keep: (record, token) => {
        this.ctx.waitUntil(this.ctx.storage.put<KeptDevice>(`device:${record.deviceId}`, { record, token }));
      },
      lastToken: async (deviceId) => (await this.ctx.storage.get<KeptDevice>(`device:${deviceId}`))?.token,
    });
    this.ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(HEARTBEAT, HEARTBEAT));
    for (const webSocket of this.ctx.getWebSockets()) {
      const state: SessionState | null = webSocket.deserializeAttachment();
      if (state !== null) hub.opened(this.#socketOf(webSocket), state);
    }
    return hub;
  }

  async #scheduleTick(): Promise<void> {
    if ((await this.ctx.storage.getAlarm()) === null) await this.ctx.storage.setAlarm(Date.now() + TICK_MS);
  }

  /** One wrapper a socket, whoever asks for it. */
  #socketOf(webSocket: WebSocket): DeviceSocket {
    const known = this.#sockets.get(webSocket);
    if (known !== undefined) return known;
    const made: DeviceSocket = {
      send: (bytes) => webSocket.send(bytes),
      close: (code, reason) => {
        try {
          webSocket.close(code, reason);
        } catch {
          // Closed by the other side already.
        }
      },
      save: (state) => webSocket.serializeAttachment(state),
      heartbeatAtMs: () => this.ctx.getWebSocketAutoResponseTimestamp(webSocket)?.getTime() ?? null,
    };
    this.#sockets.set(webSocket, made);
    return made;
  }
}
