// The device storm at full size: five hundred devices running the C client, fifty requests a second to them for a minute, a
// tenth of them cut off at random moments. Run: npm run bench:devices [-- --devices 500 --rate 50 --seconds 60].
// Exits 1 where an answer was lost, late or another input's, or a device was away for more than five seconds.

import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { openDeviceStage } from '../e2e/device-stage.ts';
import { runStorm } from '../e2e/device-storm.ts';

const RECONNECT_WITHIN_MS = 5_000;
const CONNECT_WITHIN_MS = 60_000;

const { values } = parseArgs({
  options: {
    devices: { type: 'string', default: '500' },
    rate: { type: 'string', default: '50' },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
  },
});
const count = Number(values.devices);
const stage = await openDeviceStage(count, 'auto');
try {
  const running = await stage.start(stage.pool);
  const dialledAtMs = performance.now();
  const welcomed = (): number => new Set(stage.events.all.map(({ device }) => device)).size;
  while (welcomed() < count && performance.now() - dialledAtMs < CONNECT_WITHIN_MS) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  console.log(`${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores; ${running.note}`);
  console.log(`${welcomed()} devices connected in ${((performance.now() - dialledAtMs) / 1_000).toFixed(1)} s`);
  const report = await runStorm({
    url: stage.stack.url,
    proxy: stage.proxy,
    events: stage.events,
    requestsPerS: Number(values.rate),
    seconds: Number(values.seconds),
    cuts: stage.pool.filter((_device, index) => index % 10 === 0).map(({ id }) => id),
    deadlineMs: 2_000,
    seed: Number(values.seed),
  });
  console.log(JSON.stringify(report, undefined, 2));
  const failures = Object.values(report.failed).reduce((sum, failed) => sum + failed, 0);
  const isWhole = report.answered + failures === report.sent && report.swapped === 0 && report.late === 0;
  const isBack = report.notReconnected.length === 0 && report.slowestReconnectMs <= RECONNECT_WITHIN_MS;
  console.log(isWhole && isBack ? 'held' : 'NOT HELD');
  process.exitCode = isWhole && isBack ? 0 : 1;
} finally {
  await stage.close();
}
