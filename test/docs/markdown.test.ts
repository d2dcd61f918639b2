/** What the Markdown points at is there: files, headings, scripts, commands of `hybrid` and their options. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { runHybrid } from '../../cli/operator/create-hybrid.ts';
import { REPOSITORY_ROOT } from '../../local/bundle-worker.ts';

const read = (file: string): string => readFileSync(join(REPOSITORY_ROOT, file), 'utf8');
/** Not ours: installed, built, or hidden. */
const NOT_OURS = /^(node_modules|coverage|dist|cdk\.out|\..*)$/;
const files = globSync('**/*.md', { cwd: REPOSITORY_ROOT, exclude: (name) => NOT_OURS.test(name) }).toSorted();
const { scripts } = z.object({ scripts: z.record(z.string(), z.string()) }).parse(JSON.parse(read('package.json')));

/** As GitHub makes them. */
function anchorsOf(markdown: string): ReadonlySet<string> {
  const headings = [...markdown.matchAll(/^#{1,6} (.+)$/gm)].map(([, text = '']) => text);
  return new Set(
    headings.map((text) =>
      text
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

/** Code spans, and the lines of code blocks without their comments. */
function codeOf(markdown: string): readonly string[] {
  const blocks = [...markdown.matchAll(/^```(?:sh)?\n([\s\S]*?)^```/gm)].flatMap(([, block = '']) => block.split('\n'));
  const prose = markdown.replaceAll(/^```[\s\S]*?^```/gm, '');
  const spans = [...prose.matchAll(/`([^`\n]+)`/g)].map(([, span = '']) => span);
  return [...blocks.map((line) => line.replace(/\s+#.*$/, '')), ...spans];
}

type Command = { readonly words: readonly string[]; readonly options: readonly string[] };

/** `hybrid config validate\|show FILE --wait`: a command for each alternative, with the options that follow. */
function hybridCommands(code: string): readonly Command[] {
  const line = /(?:^|npx |[;(] ?)hybrid ((?:[a-z]+(?:\\\|[a-z]+)*(?=[\s;]|$) ?)+)([^;&]*)/.exec(code);
  if (line === null) return [];
  const [, path = '', rest = ''] = line;
  const words = path.trim().split(' ');
  const options = [...rest.matchAll(/(?:^|\s)(--[a-z-]+)/g)].map(([, option = '']) => option);
  const last = words.at(-1)?.split('\\|') ?? [];
  return last.map((word) => ({ words: [...words.slice(0, -1), word], options }));
}

async function helpOf(words: readonly string[]): Promise<string | undefined> {
  const out: string[] = [];
  const status = await runHybrid([...words, '--help'], {
    terminal: { out: (text) => out.push(text), err: () => undefined, isInteractive: false },
    env: {},
    nowMs: () => 0,
    sleep: async () => undefined,
    signal: new AbortController().signal,
  });
  const help = out.join('\n');
  // Commander answers an unknown subcommand with its parent's help.
  return status === 0 && help.includes(`hybrid ${words.join(' ')}`) ? help : undefined;
}

describe.each(files)('%s', (file) => {
  const markdown = read(file);

  it('links to files and headings that are there', () => {
    const broken = [...markdown.matchAll(/\]\(([^)#\s]*)(?:#([^)\s]+))?\)/g)].flatMap(([whole, path = '', anchor]) => {
      if (/^[a-z]+:/.test(path)) return [];
      const target = path === '' ? file : join(dirname(file), path);
      if (!existsSync(join(REPOSITORY_ROOT, target))) return [whole];
      return anchor === undefined || anchorsOf(read(target)).has(anchor) ? [] : [whole];
    });
    expect(broken).toEqual([]);
  });

  it('names scripts and programs that are there', () => {
    const code = codeOf(markdown);
    const missing = code.flatMap((line) => [
      ...[...line.matchAll(/npm run (?:--silent )?([a-z][a-z:-]*)/g)].filter(([, name = '']) => !(name in scripts)),
      ...[...line.matchAll(/(?:^|\s)(?:node|python|sh) ([\w./-]+\.(?:ts|js|py|sh))/g)].filter(
        ([, path = '']) => !existsSync(join(REPOSITORY_ROOT, path)),
      ),
    ]);
    expect(missing.map(([whole]) => whole)).toEqual([]);
  });

  it('names commands and options that hybrid has', async () => {
    const unknown: string[] = [];
    const shared = (await helpOf([])) ?? '';
    for (const { words, options } of codeOf(markdown).flatMap(hybridCommands)) {
      const help = await helpOf(words);
      if (help === undefined) unknown.push(words.join(' '));
      else unknown.push(...options.filter((option) => !`${help}${shared}`.includes(option)));
    }
    expect(unknown).toEqual([]);
  });
});
