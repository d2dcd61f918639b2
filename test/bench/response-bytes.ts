/**
 * Where the first HTTP/1.1 response in a buffer ends: by its length, or by its last chunk. Pure.
 */

export type ResponseBytes = { readonly headBytes: number; readonly totalBytes: number };

const HEAD_END = Buffer.from('\r\n\r\n');

/** @returns undefined where the response is not whole yet */
export function responseBytes(held: Buffer): ResponseBytes | undefined {
  const headEnd = held.indexOf(HEAD_END);
  if (headEnd === -1) return undefined;
  const headBytes = headEnd + HEAD_END.length;
  const head = held.toString('latin1', 0, headBytes);
  const length = /^content-length: *(\d+)\r$/im.exec(head)?.[1];
  const totalBytes = length === undefined ? chunkedEnd(held, headBytes) : headBytes + Number(length);
  return totalBytes === undefined || held.length < totalBytes ? undefined : { headBytes, totalBytes };
}

function chunkedEnd(held: Buffer, from: number): number | undefined {
  for (let position = from; ;) {
    const lineEnd = held.indexOf('\r\n', position, 'latin1');
    if (lineEnd === -1) return undefined;
    const sizeBytes = Number.parseInt(held.toString('latin1', position, lineEnd), 16);
    if (!(sizeBytes >= 0)) throw new TypeError('neither a length nor chunks');
    position = lineEnd + 2 + sizeBytes + 2;
    if (sizeBytes === 0) return position;
  }
}
