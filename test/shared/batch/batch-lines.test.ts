import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { groupLines, parseBatchLine, type BatchLine } from '../../../shared/batch/batch-lines.ts';

function lineOf(line: number, input: unknown, options: Record<string, unknown> = { model_name: 'm' }): BatchLine {
  return { line, id: undefined, options, input };
}

describe('a line', () => {
  it('is asked at low priority, whatever it says, of the model it names or else of the default', () => {
    expect(parseBatchLine('{"input_data": 1, "priority": "critical", "id": "x"}', 3, 'intent')).toEqual({
      kind: 'line',
      value: { line: 3, id: 'x', input: 1, options: { priority: 'low', model_name: 'intent' } },
    });
    expect(parseBatchLine('{"model_name": "a"}', 1, 'b')).toMatchObject({ value: { options: { model_name: 'a' } } });
  });

  it.each(['{', '[]', 'null', '7', '{"id": 7}', `{"id": "${'x'.repeat(129)}"}`])(
    '%s is a problem of its own',
    (text) => {
      expect(parseBatchLine(text, 1, undefined).kind).toBe('problem');
    },
  );

  it('is never an exception', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(parseBatchLine(text, 1, undefined).value.line).toBe(1);
      }),
    );
  });
});

describe('lines that share a request', () => {
  it('ask the same of the same model, each a single text', () => {
    const lines = [
      lineOf(1, 'a'),
      lineOf(2, 'b', { model_name: 'n' }),
      lineOf(3, ['c']),
      lineOf(4, 'd'),
      lineOf(5, 'e'),
    ];
    expect(groupLines(lines, 2).map((group) => group.map(({ line }) => line))).toEqual([[1, 4], [2], [3], [5]]);
  });

  it('are each in exactly one group, and no group is too large', () => {
    const line = fc.record({ input: fc.oneof(fc.string(), fc.integer()), model: fc.constantFrom('m', 'n') });
    fc.assert(
      fc.property(fc.array(line), fc.integer({ min: 1, max: 5 }), (given, largest) => {
        const lines = given.map(({ input, model }, at) => lineOf(at, input, { model_name: model }));
        const groups = groupLines(lines, largest);
        expect(groups.every((group) => group.length <= largest)).toBe(true);
        expect(
          groups
            .flat()
            .map((grouped) => grouped.line)
            .toSorted((a, b) => a - b),
        ).toEqual(lines.map((one) => one.line));
      }),
    );
  });
});
