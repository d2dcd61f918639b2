/** Listening on the loopback interface, and on nothing else. Owns the address and the words for a taken port. */
import type { Server } from 'node:net';

export const LOOPBACK = '127.0.0.1';

/** @param port 0 takes any free one. @returns the port in use */
export function listenOnLoopback(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (cause: NodeJS.ErrnoException): void => {
      reject(cause.code === 'EADDRINUSE' ? new Error(`port ${port} on ${LOOPBACK} is taken`, { cause }) : cause);
    };
    server.once('error', fail);
    server.listen(port, LOOPBACK, () => {
      server.off('error', fail);
      const address = server.address();
      if (address === null || typeof address === 'string') reject(new Error('not a TCP server'));
      else resolve(address.port);
    });
  });
}
