/**
 * The pure pieces of the benchmark: spread, configuration text, core lists, /proc lines, response framing.
 */
import { describe, expect, it } from 'vitest';
import { capnpText } from './capnp.ts';
import { parseCoreList } from './cores.ts';
import { ticksOf } from './process-usage.ts';
import { responseBytes } from './response-bytes.ts';
import { figureOf } from './spread.ts';

describe('figureOf', () => {
  it('gives the median with its spread, whatever the order of runs', () => {
    expect(figureOf('x', 'ms', [3, 1, 10])).toEqual({ name: 'x', unit: 'ms', median: 3, min: 1, max: 10, n: 3 });
    expect(figureOf('x', 'ms', [4, 1, 10, 2]).median).toBe(3);
  });

  it('claims no more than four digits', () => {
    expect(figureOf('x', 'ms', [0.123456]).median).toBe(0.1235);
  });

  it('refuses to make a figure of nothing', () => {
    expect(() => figureOf('x', 'ms', [])).toThrow(/nothing was measured/);
  });
});

describe('capnpText', () => {
  const config = {
    modules: [
      { name: 'index.js', kind: 'esModule' },
      { name: 'a-micro.hyb', kind: 'data' },
      { name: 'kernels.wasm', kind: 'wasm' },
    ],
    bindings: { SECRET: 'a"b\\c' },
    compatibilityDate: '2026-08-22',
    compatibilityFlags: ['enable_request_signal'],
  } as const;

  it('embeds each module as its kind, the entry point first', () => {
    const modules = /modules = \[(.*)\],/.exec(capnpText(config))?.[1];
    expect(modules).toBe(
      '(name = "index.js", esModule = embed "index.js"), (name = "a-micro.hyb", data = embed "a-micro.hyb"), (name = "kernels.wasm", wasm = embed "kernels.wasm")',
    );
  });

  it('escapes what a binding holds', () => {
    expect(capnpText(config)).toContain(String.raw`(name = "SECRET", text = "a\"b\\c")`);
  });

  it('refuses control characters, which it could not escape', () => {
    expect(() => capnpText({ ...config, bindings: { A: 'two\nlines' } })).toThrow(RangeError);
  });
});

describe('parseCoreList', () => {
  it.each([
    ['0', [0]],
    ['0-2,5', [0, 1, 2, 5]],
    ['3,5-6', [3, 5, 6]],
    ['', []],
  ])('%s', (text, cores) => {
    expect(parseCoreList(text)).toEqual(cores);
  });
});

describe('ticksOf', () => {
  it('adds user and system time, even where the name holds spaces and parentheses', () => {
    expect(ticksOf('42 (a ) b) S 1 2 3 4 5 6 7 8 9 10 120 30 0 0 20 0')).toBe(150);
  });

  it('refuses another line', () => {
    expect(() => ticksOf('')).toThrow(TypeError);
  });
});

describe('responseBytes', () => {
  const withLength = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
  const chunked = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n';

  it.each([withLength, chunked])('finds the end of %j and leaves what follows', (text) => {
    expect(responseBytes(Buffer.from(`${text}HTTP/1.1 200`))?.totalBytes).toBe(text.length);
  });

  it.each([withLength, chunked])('waits for every byte of %j', (text) => {
    for (let length = 0; length < text.length; length += 1) {
      expect(responseBytes(Buffer.from(text.slice(0, length)))).toBeUndefined();
    }
  });

  it('refuses a response without length or chunks', () => {
    expect(() => responseBytes(Buffer.from('HTTP/1.1 200 OK\r\n\r\nhello\r\n'))).toThrow(TypeError);
  });
});
