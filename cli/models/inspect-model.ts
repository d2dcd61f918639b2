/**
 * `hybrid models inspect`: what a .hyb file is.
 */
import type { Report } from '../operator/terminal.ts';
import type { EdgeModel } from './edge-model.ts';
import { openEdgeModel } from './edge-model.ts';

export async function inspectModel(file: string): Promise<Report> {
  const edge = await openEdgeModel(file);
  const operators = edge.header.graph.map(({ op, ...fields }, i) => {
    const shown = Object.entries(fields).map(([name, value]) => shownField(edge, name, value));
    return `  ${String(i).padStart(3)} ${op.padEnd(16)} ${shown.join(' ')}`.trimEnd();
  });
  const described = describeModel(edge);
  return {
    value: { ...described.value, operators: edge.header.graph },
    text: [described.text, 'operators', ...operators].join('\n'),
  };
}

function shownField({ header }: EdgeModel, name: string, value: unknown): string {
  const tensor = typeof value === 'string' ? header.tensors[value] : undefined;
  return tensor === undefined
    ? `${name}=${JSON.stringify(value)}`
    : `${name}=${tensor.dtype}[${tensor.shape.join(',')}]`;
}

export function describeModel({ model, header, digest }: EdgeModel): Report {
  const { info } = model;
  const { input, tokenizer } = header;
  const takes =
    input.kind === 'text'
      ? `text of at most ${input.max_chars} characters, ${tokenizer?.kind ?? ''}${tokenizer?.max_tokens === undefined ? '' : ` of at most ${tokenizer.max_tokens}`}`
      : `${input.height}x${input.width}x${input.channels} values from 0 to 1`;
  const some = info.labels.slice(0, 8).join(', ');
  const answers =
    header.calibration === null
      ? [`output       ${info.outputs} values, a vector of length one`]
      : [
          `labels       ${info.labels.length}: ${some}${info.labels.length > 8 ? ', ...' : ''}`,
          `temperature  ${header.calibration.temperature}`,
        ];
  const text = [
    `model        ${info.model} ${info.version}, variant ${info.variant}, ${info.task}`,
    `input        ${takes}`,
    ...answers,
    `size         ${info.sizeBytes} bytes; ${info.workingBytes} bytes of memory when loaded`,
    `sha-256      ${digest}`,
  ].join('\n');
  const value = {
    model: info.model,
    version: info.version,
    variant: info.variant,
    task: info.task,
    input,
    labels: info.labels,
    outputs: info.outputs,
    temperature: header.calibration?.temperature ?? null,
    size_bytes: info.sizeBytes,
    working_bytes: info.workingBytes,
    sha256: digest,
  };
  return { value, text };
}
