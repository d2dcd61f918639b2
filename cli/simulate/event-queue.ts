/**
 * What happens next, by time; of two at the same time the one that was scheduled first. A binary heap. Owns order only.
 */
type Entry<T> = { readonly atMs: number; readonly turn: number; readonly event: T };

export class EventQueue<T> {
  readonly #heap: Entry<T>[] = [];
  #turn = 0;

  get nextAtMs(): number {
    return this.#heap[0]?.atMs ?? Infinity;
  }

  push(atMs: number, event: T): void {
    const entry = { atMs, turn: this.#turn, event };
    this.#turn += 1;
    const heap = this.#heap;
    let position = heap.length;
    while (position > 0) {
      const above = (position - 1) >>> 1;
      const parent = heap[above];
      if (parent === undefined || !isBefore(entry, parent)) break;
      heap[position] = parent;
      position = above;
    }
    heap[position] = entry;
  }

  pop(): T | undefined {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop();
    if (first === undefined || last === undefined) return undefined;
    if (heap.length > 0) this.#sink(last);
    return first.event;
  }

  #sink(entry: Entry<T>): void {
    const heap = this.#heap;
    let position = 0;
    for (;;) {
      let below = 2 * position + 1;
      let child = heap[below];
      if (child === undefined) break;
      const sibling = heap[below + 1];
      if (sibling !== undefined && isBefore(sibling, child)) {
        below += 1;
        child = sibling;
      }
      if (!isBefore(child, entry)) break;
      heap[position] = child;
      position = below;
    }
    heap[position] = entry;
  }
}

function isBefore(a: Entry<unknown>, b: Entry<unknown>): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.turn < b.turn);
}
