/**
 * The configuration text of plain workerd for one worker, listening on a free port. Pure.
 */

export type WorkerdModule = { readonly name: string; readonly kind: 'esModule' | 'data' | 'wasm' };

export type WorkerdConfig = {
  /** The first is the entry point. Each is a file of its name beside the configuration. */
  readonly modules: readonly WorkerdModule[];
  readonly bindings: Readonly<Record<string, string>>;
  /** Bound as ASSETS; an absolute path. */
  readonly assetsFolder?: string;
  readonly compatibilityDate: string;
  readonly compatibilityFlags: readonly string[];
};

/** The only socket's name, as workerd announces it. */
export const SOCKET_NAME = 'http';

/** No `cacheApiOutbound`: plain workerd brings no cache of its own, so the worker finds none. */
export function capnpText(config: WorkerdConfig): string {
  const modules = config.modules.map(({ name, kind }) => `(name = ${quoted(name)}, ${kind} = embed ${quoted(name)})`);
  const bindings = Object.entries(config.bindings).map(
    ([name, text]) => `(name = ${quoted(name)}, text = ${quoted(text)})`,
  );
  const { assetsFolder } = config;
  const assets = assetsFolder === undefined ? [] : [`(name = "assets", disk = ${quoted(assetsFolder)})`];
  if (assetsFolder !== undefined) bindings.push('(name = "ASSETS", service = "assets")');
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "internet", network = (allow = ["public", "private"])),
    ${assets.join('')}
  ],
  sockets = [(name = ${quoted(SOCKET_NAME)}, address = "127.0.0.1:0", http = (), service = "main")],
);

const main :Workerd.Worker = (
  modules = [${modules.join(', ')}],
  bindings = [${bindings.join(', ')}],
  compatibilityDate = ${quoted(config.compatibilityDate)},
  compatibilityFlags = [${config.compatibilityFlags.map(quoted).join(', ')}],
);
`;
}

/** JSON's escapes are Cap'n Proto's too, but for those of control characters, which no name or binding here holds. */
function quoted(text: string): string {
  // oxlint-disable-next-line no-control-regex -- refusing them is the point
  if (/[\u0000-\u001F\u007F]/.test(text)) throw new RangeError('control characters cannot be written here');
  return JSON.stringify(text);
}
