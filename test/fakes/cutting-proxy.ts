/**
 * A network between devices and the gateway that a test can break: passes bytes on until it is told to cut a connection, or,
 * while it is lossy, cuts each after so many bytes. Knows a connection by the device named in its first line.
 */
import { createServer, connect, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';

export type CuttingProxy = {
  readonly url: string;
  /** Devices with a connection now. */
  connected(): readonly string[];
  /** Both sides at once, without a word: a cable pulled. */
  cut(deviceId: string): void;
  /** From now on every connection ends after so many bytes towards the device; null: none does. */
  loseAfter(bytes: number | null): void;
  close(): Promise<void>;
};

const FIRST_LINE = /^GET \/v1\/devices\/([^/]+)\/connect/;

export async function startCuttingProxy(targetUrl: string): Promise<CuttingProxy> {
  const target = new URL(targetUrl);
  const open = new Map<string, () => void>();
  const all = new Set<Socket>();
  let limitBytes: number | null = null;

  const server = createServer((device) => {
    const gateway = connect(Number(target.port), target.hostname);
    let id = '';
    let passedBytes = 0;
    const end = (): void => {
      device.destroy();
      gateway.destroy();
      all.delete(device);
      all.delete(gateway);
      if (open.get(id) === end) open.delete(id);
    };
    for (const socket of [device, gateway]) {
      all.add(socket);
      socket.setNoDelay(true);
      socket.on('error', end);
      socket.on('close', end);
    }
    device.once('data', (bytes: Buffer) => {
      id = FIRST_LINE.exec(bytes.toString('latin1'))?.[1] ?? '';
      open.set(id, end);
    });
    device.on('data', (bytes: Buffer) => void gateway.write(bytes));
    gateway.on('data', (bytes: Buffer) => {
      passedBytes += bytes.length;
      // The piece that goes too far arrives torn.
      const excess = limitBytes === null ? 0 : passedBytes - limitBytes;
      device.write(excess > 0 ? bytes.subarray(0, Math.max(0, bytes.length - excess)) : bytes);
      if (excess > 0) setImmediate(end);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    connected: () => [...open.keys()],
    cut: (deviceId) => open.get(deviceId)?.(),
    loseAfter: (bytes) => {
      limitBytes = bytes;
    },
    async close() {
      for (const socket of all) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
