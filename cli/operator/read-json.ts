/** A JSON file, or standard input, that an operator names. */
import { readFile } from 'node:fs/promises';
import { text as readStream } from 'node:stream/consumers';
import { CommandFailure } from '../command-failure.ts';

export async function readJson(file: string): Promise<unknown> {
  let text: string;
  try {
    text = file === '-' ? await readStream(process.stdin) : await readFile(file, 'utf8');
  } catch (error) {
    throw new CommandFailure(
      'usage',
      `${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new CommandFailure(
      'invalid',
      `${file === '-' ? 'standard input' : file} is not JSON: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
