/**
 * Node processes beside workerd's core that load it or answer it. Owns starting, one question at a time, stopping.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export type HelperProcess = {
  /** The next message, after sending one where it is given. */
  ask<T>(message?: object): Promise<T>;
  stop(): void;
};

/** @param url of its entry point */
export function startHelper(url: string, args: readonly string[], pin: readonly string[]): HelperProcess {
  const path = fileURLToPath(url);
  const [command = '', ...rest] = [...pin, process.execPath, path, ...args];
  const child: ChildProcess = spawn(command, rest, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  return {
    ask<T>(message?: object): Promise<T> {
      return new Promise((resolve, reject) => {
        const ended = (status: number | null) => reject(new Error(`${path} ended with status ${status}`));
        child.once('exit', ended);
        child.once('message', (value) => {
          child.off('exit', ended);
          resolve(value as T);
        });
        if (message !== undefined) child.send(message);
      });
    },
    stop: () => {
      child.kill('SIGKILL');
    },
  };
}
