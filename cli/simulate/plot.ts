/**
 * Cost, latency and accuracy of every strategy as one SVG: accuracy over cost on the left, over the 99th percentile of
 * latency on the right, both on logarithmic scales. Owns the drawing; readable on light and on dark ground.
 */
import type { Summary } from './summarize.ts';

export type Plot = {
  readonly title: string;
  readonly strategies: readonly Summary[];
  /** The cascade at other thresholds, joined by a line. */
  readonly frontier: readonly Summary[];
};

const WIDTH = 960;
const HEIGHT = 430;
const PANEL = { width: 390, height: 300, top: 66 } as const;
const LEFTS = [62, 62 + PANEL.width + 92] as const;
const LABEL_STEP = 13;

type Axis = {
  readonly title: string;
  readonly of: (summary: Summary) => number;
  readonly unit: (value: number) => string;
};

const AXES: readonly [Axis, Axis] = [
  { title: 'US dollars a million requests, idle capacity included', of: (it) => it.cost_usd_per_million, unit: plain },
  { title: 'p99 latency at the point of presence, ms', of: ({ latency_ms: ms }) => ms.p99, unit: plain },
];

export function drawPlot({ title, strategies, frontier }: Plot): string {
  const all = [...strategies, ...frontier];
  const low = Math.floor(200 * Math.min(...all.map(({ accuracy }) => accuracy)) - 0.4) / 200;
  const high = Math.ceil(200 * Math.max(...all.map(({ accuracy }) => accuracy)) + 0.4) / 200;
  const panels = AXES.map((axis, index) => drawPanel(axis, LEFTS[index] ?? 0, [low, high], strategies, frontier));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" font-family="system-ui, sans-serif" font-size="12">`,
    `<title>${escaped(title)}</title>`,
    '<style>text{fill:#57606a}.grid{stroke:#8c959f;stroke-opacity:.28}.axis{stroke:#8c959f}.other{fill:#8c959f}.ours{fill:#0969da}.line{fill:none;stroke:#0969da;stroke-opacity:.55;stroke-width:1.5}.strong{fill:#0969da;font-weight:600}@media(prefers-color-scheme:dark){text{fill:#9198a1}.ours{fill:#4493f8}.strong{fill:#4493f8}.line{stroke:#4493f8}}</style>',
    `<text x="${LEFTS[0]}" y="24" font-size="14">${escaped(title)}</text>`,
    `<text x="${LEFTS[0]}" y="46">Accuracy. Up and to the left is better; the line is the cascade at other thresholds.</text>`,
    ...panels,
    '</svg>',
    '',
  ].join('\n');
}

function drawPanel(
  axis: Axis,
  left: number,
  [low, high]: readonly [number, number],
  strategies: readonly Summary[],
  frontier: readonly Summary[],
): string {
  const values = [...strategies, ...frontier].map(axis.of).filter((value) => value > 0);
  const from = Math.log10(Math.min(...values)) - 0.12;
  const to = Math.log10(Math.max(...values)) + 0.12;
  const x = (value: number): number => left + ((Math.log10(value) - from) / (to - from)) * PANEL.width;
  const y = (accuracy: number): number => PANEL.top + ((high - accuracy) / (high - low)) * PANEL.height;
  const bottom = PANEL.top + PANEL.height;
  const lines: string[] = [];
  for (let step = Math.round(low * 200); step <= Math.round(high * 200); step += 1) {
    const at = round(y(step / 200));
    lines.push(`<line class="grid" x1="${left}" x2="${left + PANEL.width}" y1="${at}" y2="${at}"/>`);
    if (step % 2 === 0) lines.push(`<text x="${left - 6}" y="${at + 4}" text-anchor="end">${step / 2} %</text>`);
  }
  for (const tick of ticks(10 ** from, 10 ** to)) {
    const at = round(x(tick));
    lines.push(`<line class="grid" x1="${at}" x2="${at}" y1="${PANEL.top}" y2="${bottom}"/>`);
    lines.push(`<text x="${at}" y="${bottom + 18}" text-anchor="middle">${axis.unit(tick)}</text>`);
  }
  lines.push(
    `<path class="axis" fill="none" d="M${left} ${PANEL.top}V${bottom}H${left + PANEL.width}"/>`,
    `<text x="${left + PANEL.width / 2}" y="${bottom + 40}" text-anchor="middle">${axis.title}</text>`,
  );
  if (frontier.length > 1) {
    const path = frontier.map((it) => `${round(x(axis.of(it)))} ${round(y(it.accuracy))}`).join('L');
    lines.push(`<path class="line" d="M${path}"/>`);
    for (const it of frontier)
      lines.push(
        `<circle class="ours" fill-opacity=".55" r="2.5" cx="${round(x(axis.of(it)))}" cy="${round(y(it.accuracy))}"/>`,
      );
  }
  return [...lines, ...drawStrategies(axis, strategies, x, y, left)].join('\n');
}

type Box = { readonly x: number; readonly y: number; readonly width: number; readonly height: number };

/** Where a label may stand, seen from its point: right, left, below, above, then further away. */
const OFFSETS = [1, 2.2, 3.4, 4.6].flatMap((far) =>
  [
    [1, 0],
    [-1, 0],
    [1, far],
    [-1, far],
    [1, -far],
    [-1, -far],
  ].map(([side = 1, down = 0]) => ({ side, down: down * LABEL_STEP })),
);

/** Labels beside their points, where they cover neither each other nor a point. */
function drawStrategies(
  axis: Axis,
  strategies: readonly Summary[],
  x: (value: number) => number,
  y: (accuracy: number) => number,
  left: number,
): string[] {
  const points = strategies.map((summary) => ({
    name: summary.strategy,
    x: round(x(axis.of(summary))),
    y: round(y(summary.accuracy)),
  }));
  const taken: Box[] = points.map((point) => ({ x: point.x - 5, y: point.y - 5, width: 10, height: 10 }));
  return points.flatMap(({ name, x: px, y: py }) => {
    const isOurs = name === 'cascade';
    const width = (isOurs ? 7.2 : 6.4) * name.length;
    const boxes = OFFSETS.map(({ side, down }) => ({
      x: side > 0 ? px + 9 : px - 9 - width,
      y: py + down - LABEL_STEP / 2,
      width,
      height: LABEL_STEP,
    }));
    const isInside = (box: Box): boolean => box.x >= left && box.x + width <= left + PANEL.width + 20;
    const box = boxes.find((it) => isInside(it) && !taken.some((other) => overlaps(it, other))) ?? boxes[0];
    if (box === undefined) return [];
    taken.push(box);
    return [
      `<circle class="${isOurs ? 'ours' : 'other'}" r="${isOurs ? 6 : 4}" cx="${px}" cy="${py}"/>`,
      `<text class="${isOurs ? 'strong' : 'name'}" x="${round(box.x + width / 2)}" y="${round(box.y + 10)}" text-anchor="middle">${escaped(name)}</text>`,
    ];
  });
}

function overlaps(a: Box, b: Box): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

/** 1, 2 and 5 of each power of ten between the two. */
function ticks(from: number, to: number): readonly number[] {
  const found: number[] = [];
  for (let power = Math.floor(Math.log10(from)); power <= Math.ceil(Math.log10(to)); power += 1) {
    for (const digit of [1, 2, 5]) {
      const tick = Number((digit * 10 ** power).toPrecision(1));
      if (tick >= from && tick <= to) found.push(tick);
    }
  }
  return found;
}

function plain(value: number): string {
  return value >= 1000 ? `${value / 1000}k` : String(value);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
