/**
 * One JSON object a line to the console: timestamp, level, message, request_id, then the fields given.
 */
import type { Clock, Logger, LogLevel } from './ports.ts';

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

export function createLogger(clock: Clock, leastLevel: LogLevel, write: (line: string) => void): Logger {
  return {
    log(level, message, requestId, fields) {
      if (RANK[level] < RANK[leastLevel]) return;
      write(
        JSON.stringify({
          timestamp: new Date(clock.now()).toISOString(),
          level,
          message,
          request_id: requestId,
          ...fields,
        }),
      );
    },
  };
}
