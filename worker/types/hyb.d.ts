/** Weights bundled as a Data module (see wrangler.toml). */
declare module '*.hyb' {
  const bytes: ArrayBuffer;
  export default bytes;
}
/** Device models, bundled alike. */
declare module '*.hymc' {
  const bytes: ArrayBuffer;
  export default bytes;
}
declare module '*.wasm' {
  const module: WebAssembly.Module;
  export default module;
}
