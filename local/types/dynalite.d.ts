/** What we use of dynalite 4, which ships no types. */
declare module 'dynalite' {
  import type { Server } from 'node:http';
  type Options = {
    readonly createTableMs?: number;
    readonly deleteTableMs?: number;
    readonly updateTableMs?: number;
    readonly maxItemSizeKb?: number;
    /** A LevelDB folder; in memory without it. */
    readonly path?: string;
  };
  function dynalite(options?: Options): Server;
  export = dynalite;
}
